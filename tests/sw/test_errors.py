"""`rbonn.sw.errors`: failures that a user can act on."""

import pickle

import pytest
from rbonn.sw.build import ClockError
from rbonn.sw.errors import DoesNotFitError, RbonnError


@pytest.mark.parametrize("kind", [RbonnError, DoesNotFitError, ClockError])
def test_an_error_goes_to_another_process_with_its_hint(kind: type[RbonnError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what", "do this")))
    assert type(error) is kind
    assert (error.message, error.hint, str(error)) == ("what", "do this", "what")
