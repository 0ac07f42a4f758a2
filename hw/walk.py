"""Positions that walk through an image by constant steps, and what can be told from where they are.

An address generator made of these remembers no corner to return to: each step is a constant, and a walk's end follows from the position.
"""

from collections.abc import Iterator

from amaranth import *


def walker(below: int, size: int, end: int) -> Signal:
    """A position from -below to end - 1, starting at -below, kept modulo a power of two: exactly 0 .. size - 1 lie below `size`."""
    bits = max(below + size - 1, end - 1, 1).bit_length()
    return Signal(bits, init=-below % (1 << bits))


def arrives(
    m: Module, position: Signal, goal: int, is_there: Signal, n_steps: int, step: Value, last: int = 1
) -> None:  # fmt: skip
    """`is_there` at the end of every `n_steps` steps, the last one by `last`: whether `position` is at `goal`.

    From a register if n_steps > 1.
    """
    if n_steps == 1:
        m.d.comb += is_there.eq(position == goal % (1 << len(position)))
    else:
        with m.If(step):
            m.d.sync += is_there.eq(position == (goal - last) % (1 << len(position)))


def ring(slot: Signal, step: int, n_slots: int) -> Value:
    """(slot + step) modulo `n_slots`, as a table: for a few slots cheaper than an adder."""
    if n_slots == 1:
        return Const(0)
    return Array(Const((k + step) % n_slots, len(slot)) for k in range(n_slots))[slot]


def by_value(
    m: Module, position: Signal, positions: list[int], values: tuple[int, ...]
) -> Iterator[int]:
    """Each distinct value, under the condition that `position` (modulo its range) is one of those with that value.

    The most frequent value comes last and without a condition of its own.
    """
    *rare, frequent = sorted(set(values), key=values.count)
    with m.Switch(position):
        for value in rare:
            where = [at for at, here in zip(positions, values, strict=True) if here == value]
            with m.Case(*(at % (1 << len(position)) for at in where)):
                yield value
        with m.Default():
            yield frequent
