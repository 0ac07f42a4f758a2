"""Plants a fault in the source of the hardware, for the length of a test: what a proof has to find.

@each_fault(
    Fault("overwrites its output", Fifo, "self.i.ready.eq(~is_full)", "self.i.ready.eq(1)"),
)
def test_a_planted_fault_is_found(fault, tmp_path, monkeypatch):
    fault.plant(monkeypatch)
    assert prove_order(...) == "FAIL"
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cached_property
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest


class Fault(NamedTuple):
    """Where the source of a class or function says `line`, it says `fault`.

    Parameters
    ----------
    meaning : str - what goes wrong
    owner : type or function - of the hardware
    line, fault : str - `line` stands in its source once
    case : str - what of the test's cases shows it, where there are several
    """

    meaning: str
    owner: type | Callable[..., Any]
    line: str
    fault: str
    case: str = ""

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Gives the functions that the fault changes their faulty code; whoever has imported them or inherits them has it too."""
        source = textwrap.dedent(inspect.getsource(self.owner))
        count = source.count(self.line)
        assert count == 1, f"{self.owner.__name__} says {self.line!r} {count} times"
        right = dict(_codes(source))
        faulty = dict(_codes(source.replace(self.line, self.fault)))
        changed = [name for name in right if faulty[name] != right[name]]
        assert changed, f"{self.owner.__name__} computes nothing by {self.line!r}"
        for name in changed:
            monkeypatch.setattr(_function(self.owner, name), "__code__", faulty[name])


def each_fault(*faults: Fault) -> pytest.MarkDecorator:
    """A test for each fault, named by what goes wrong."""
    return pytest.mark.parametrize("fault", [pytest.param(f, id=f.meaning) for f in faults])


def _codes(source: str) -> Iterator[tuple[str, CodeType]]:
    """The code of the function that `source` defines, or of each method of its class, by qualified name."""
    (outer,) = _inner(compile(source, "<planted>", "exec", dont_inherit=True))
    is_function = bool(outer.co_flags & inspect.CO_OPTIMIZED)
    for code in [outer] if is_function else _inner(outer):
        yield code.co_qualname, code


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _function(owner: Any, name: str) -> FunctionType:
    """The function of that qualified name, out of the property that it may be."""
    if isinstance(owner, FunctionType):
        return owner
    member = vars(owner)[name.removeprefix(f"{owner.__name__}.")]
    if isinstance(member, property):
        return member.fget
    return member.func if isinstance(member, cached_property) else member
