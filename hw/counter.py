"""A counter whose last value is known one cycle ahead."""

from amaranth import *


def step_counter(m: Module, count: Signal, is_last: Signal, length: int) -> None:
    """Adds to `m`, under its current conditions, one step of a counter over 0 .. length - 1.

    `is_last` is a register that is high while `count` is length - 1; it is computed from the value before, so that the path
    from the counter to whatever its end decides starts at a flip-flop. Its initial value must be ``length == 1``.
    """
    if length == 1:
        return
    m.d.sync += count.eq(count + 1)
    if length & (length - 1):  # others return to 0 by themselves
        with m.If(is_last):
            m.d.sync += count.eq(0)
    m.d.sync += is_last.eq(~is_last & (count == length - 2) if length > 2 else ~is_last)
