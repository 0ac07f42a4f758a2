"""What holds for all tests."""

import os

import pytest
import torch
from hypothesis import HealthCheck, settings

# The same examples in every run; HYPOTHESIS_PROFILE=explore draws new ones.
_SHARED_MACHINES = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("fixed", derandomize=True, **_SHARED_MACHINES)
settings.register_profile("explore", print_blob=True, **_SHARED_MACHINES)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small tensors lose by a second thread, most of all where tests run side by side."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
