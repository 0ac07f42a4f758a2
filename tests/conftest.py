"""What holds for all tests."""

import os

import pytest
import torch
from hypothesis import HealthCheck, settings
from rbonn.sw.build.toolchain import find_tool, warm_up

# The same examples in every run; HYPOTHESIS_PROFILE=explore draws new ones.
_SHARED_MACHINES = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("fixed", derandomize=True, **_SHARED_MACHINES)
settings.register_profile("explore", print_blob=True, **_SHARED_MACHINES)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(autouse=True, scope="session")
def _compiled_yosys():
    """On a new machine the first start of yosys compiles it; two at once would write the same file."""
    warm_up(find_tool("yosys"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small tensors lose by a second thread, most of all where tests run side by side."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
