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


class _Adder:
    """The halves of one adder, the first of them its start, and where its carry-out is wanted."""

    def __init__(self, start: _Half) -> None:
        self.halves = [start]
        self.carry: Signal | None = None


class CarryChain(Elaboratable):
    """Halves of CCU2C cells, in the order of the carry. A half has four pins A to D and a truth table P:

        s = P(A, B, C, D) xor carry-in        carry-out = carry-in if P(A, B, C, D) else P(A, B, 0, 0)

    Where C and D are not both in use they are 1, and P(A, B, 0, 0) is any function. With ``P = 0`` a half cuts the chain: its `s` is
    the carry-out of the half before, its carry-out a function of A and B. So one half takes the top carry of an adder and puts a bit of
    weight 1 into the next adder.

    Timing analysis does not see the cuts and counts a way from every pin to the chain's end. So the adder that was begun first is
    the last one: those of a tree's first level, whose inputs come from farthest.

    Halves may be added as long as the surroundings, whose submodule this is, are being elaborated. Neither end of the chain is
    connected. Storage is none; the cost is two lookup tables for every two halves begun.
    """

    def __init__(self) -> None:
        self._adders: list[_Adder] = []

    def __len__(self) -> int:
        """Halves so far, without one for the last carry."""
        return sum(len(adder.halves) for adder in self._adders)

    def start(self, lowest: Operand = ZERO) -> None:
        """A half that begins an adder, with a bit at its carry-in, of two pins at most."""
        assert len(lowest.pins) <= 2, "a carry depends on A and B only"
        init = _table(lambda *pins: 0, lambda *pins: _of(lowest, pins))
        self._adders.append(_Adder(_half(init, lowest.pins, None)))

    def add(self, a: Operand, b: Operand = ZERO) -> Signal:
        """A half that adds two bits; answers their sum.

        `a`, which is the carry where both are equal, has two pins at most, both together four. With four pins, `b` must be
        0 where the last two of them are.
        """
        adder = self._adders[-1]
        assert adder.carry is None, "the adder has ended"
        assert len(a.pins) <= 2, "a carry depends on A and B only"

        def propagate(*pins: int) -> int:
            return _of(a, pins) ^ _of(b, pins[len(a.pins) :])

        def generate(*pins: int) -> int:
            return _of(a, pins)

        pins, init = (*a.pins, *b.pins), _table(propagate, generate)
        assert len(pins) < 4 or init == _table(propagate, propagate), "the carry would be wrong"
        s = Signal(name=f"s{len(self._adders)}_{len(adder.halves)}")
        adder.halves.append(_half(init, pins, s))
        return s

    def carry(self) -> Signal:
        """Carry out of the last half: the end of its adder."""
        adder = self._adders[-1]
        assert adder.carry is None, "the adder has ended"
        adder.carry = Signal(name=f"carry{len(self._adders)}")
        return adder.carry

    def elaborate(self, platform) -> Module:
        m = Module()
        halves = self._ordered()
        n_cells = len(halves) // 2
        links = [Signal(name=f"link{k}") for k in range(n_cells - 1)]
        for cell in range(n_cells):
            ports: dict[str, object] = {"p_INJECT1_0": "NO", "p_INJECT1_1": "NO"}
            for number, half in enumerate(halves[2 * cell : 2 * cell + 2]):
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

    def _ordered(self) -> list[_Half]:
        """All halves in the order of the carry, an even number of them."""
        halves: list[_Half] = []
        carry: Signal | None = None
        for adder in reversed(self._adders):
            start, *others = adder.halves
            halves += [start._replace(s=carry), *others]
            carry = adder.carry
        if carry is not None:
            halves.append(_half(0, (), carry))
        if len(halves) % 2:
            halves.append(_half(0, (), None))
        return halves


def _half(init: int, pins: Sequence[Value], s: Signal | None) -> _Half:
    return _Half(init, (*pins, *[C(1, 1)] * (4 - len(pins))), s)


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
