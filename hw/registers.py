"""Registers that move only while something enables them, and need no reset: what they hold is looked at only when it is due."""

from collections.abc import Sequence

from amaranth import *


def registers(m: Module, enable: Value, name: str, values: Sequence[Value]) -> list[Value]:
    """Adds to `m` a register ``<name>_<k>`` for each of `values`, of its own shape; answers what they were one enabled cycle before."""
    held = [
        Signal(value.shape(), name=f"{name}_{k}", reset_less=True) for k, value in enumerate(values)
    ]
    with m.If(enable):
        m.d.sync += [register.eq(value) for register, value in zip(held, values, strict=True)]
    return list(held)


def delayed(m: Module, enable: Value, name: str, value: Value, cycles: int) -> Value:
    """Adds to `m` registers ``<name><k>`` one behind the other; answers what `value` was `cycles` enabled cycles before."""
    for stage in range(cycles):
        register = Signal(len(value), name=f"{name}{stage}", reset_less=True)
        with m.If(enable):
            m.d.sync += register.eq(value)
        value = register
    return value
