"""Adders of the ECP5 one after the other on one carry chain of CCU2C cells."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from amaranth import *


class Operand(NamedTuple):
    """One bit as a lookup table's function of some pins; without pins, a constant."""

    value: Callable[..., int]
    pins: tuple[Value, ...] = ()


ZERO = Operand(lambda: 0)


def bit(value: Value) -> Operand:
    """That bit itself."""
    return Operand(lambda x: x, (value,))


class _Half(NamedTuple):
    init: int
    pins: tuple[Value, ...]
    s: Signal | None


class CarryChain(Elaboratable):
    """Halves of CCU2C cells, in the order of the carry. A half has four pins A to D and a truth table P:

        s = P(A, B, C, D) xor carry-in        carry-out = carry-in if P(A, B, C, D) else P(A, B, 0, 0)

    Where C and D are not both in use they are 1, and P(A, B, 0, 0) is any function. With ``P = 0`` a half cuts the chain: its `s` is
    the carry-out of the half before, its carry-out a function of A and B. So one half takes the top carry of an adder and puts a bit of
    weight 1 into the next adder.

    Halves may be added as long as the surroundings, whose submodule this is, are being elaborated. Neither end of the chain is
    connected. Storage is none; the cost is two lookup tables for every two halves begun.
    """

    def __init__(self) -> None:
        self._halves: list[_Half] = []
        self._carry: Signal | None = None

    def __len__(self) -> int:
        """Halves so far."""
        return len(self._halves) + (self._carry is not None)

    def start(self, lowest: Operand = ZERO) -> None:
        """A half that begins an adder, with a bit at its carry-in, of two pins at most. It ends the adder before."""
        assert len(lowest.pins) <= 2, "a carry depends on A and B only"
        init = _table(lambda *pins: 0, lambda *pins: _of(lowest, pins))
        self._append(init, lowest.pins, self._carry)
        self._carry = None

    def add(self, a: Operand, b: Operand = ZERO) -> Signal:
        """A half that adds two bits; answers their sum.

        `a`, which is the carry where both are equal, has two pins at most, both together four. With four pins, `b` must be
        0 where the last two of them are.
        """
        assert self._carry is None, "a carry that is read has to be followed by a new adder"
        assert len(a.pins) <= 2, "a carry depends on A and B only"

        def propagate(*pins: int) -> int:
            return _of(a, pins) ^ _of(b, pins[len(a.pins) :])

        def generate(*pins: int) -> int:
            return _of(a, pins)

        pins, init = (*a.pins, *b.pins), _table(propagate, generate)
        assert len(pins) < 4 or init == _table(propagate, propagate), "the carry would be wrong"
        s = Signal(name=f"s{len(self._halves)}")
        self._append(init, pins, s)
        return s

    def carry(self) -> Signal:
        """Carry out of the last half, and so the end of its adder."""
        self._carry = Signal(name=f"carry{len(self._halves)}")
        return self._carry

    def _append(self, init: int, pins: Sequence[Value], s: Signal | None) -> None:
        self._halves.append(_Half(init, (*pins, *[C(1, 1)] * (4 - len(pins))), s))

    def elaborate(self, platform) -> Module:
        m = Module()
        if self._carry is not None:
            self.start()
        if len(self._halves) % 2:
            self.start()
        n_cells = len(self._halves) // 2
        links = [Signal(name=f"link{k}") for k in range(n_cells - 1)]
        for cell in range(n_cells):
            ports: dict[str, object] = {"p_INJECT1_0": "NO", "p_INJECT1_1": "NO"}
            for number, half in enumerate(self._halves[2 * cell : 2 * cell + 2]):
                ports[f"p_INIT{number}"] = C(half.init, 16)
                for pin, value in zip("ABCD", half.pins, strict=True):
                    ports[f"i_{pin}{number}"] = value
                if half.s is not None:
                    ports[f"o_S{number}"] = half.s
            if cell > 0:
                ports["i_CIN"] = links[cell - 1]
            if cell < n_cells - 1:
                ports["o_COUT"] = links[cell]
            m.submodules[f"cell{cell}"] = Instance("CCU2C", **ports)
        return m


def _of(operand: Operand, pins: Sequence[int]) -> int:
    """Value of the operand whose pins are the first ones."""
    return operand.value(*pins[: len(operand.pins)])


def _table(propagate: Callable[..., int], generate: Callable[..., int]) -> int:
    """INIT of a half: pin A is the lowest bit of the index, and `generate` stands where C and D are 0."""
    init = 0
    for index in range(16):
        pins = tuple(index >> pin & 1 for pin in range(4))
        init |= (generate if index < 4 else propagate)(*pins) << index
    return init
