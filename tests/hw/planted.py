"""Plants a fault in a class of the hardware, for the length of a test: what a proof has to find."""

from __future__ import annotations

import inspect
import sys
import textwrap

import pytest


def plant(monkeypatch: pytest.MonkeyPatch, owner: type, line: str, fault: str) -> type:
    """Replaces `owner`, in its module, by itself with `fault` where its source says `line`; returns the faulty class."""
    source = textwrap.dedent(inspect.getsource(owner))
    assert source.count(line) == 1, f"{owner.__name__} says {line!r} {source.count(line)} times"
    module = sys.modules[owner.__module__]
    # In the module's own namespace, so that it sees whatever else a test replaces there.
    exec(compile(source.replace(line, fault), f"<faulty {owner.__name__}>", "exec"), vars(module))
    faulty = vars(module)[owner.__name__]
    setattr(module, owner.__name__, owner)
    monkeypatch.setattr(module, owner.__name__, faulty)
    return faulty
