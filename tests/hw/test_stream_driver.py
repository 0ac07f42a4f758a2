"""The driver catches what it promises to catch: each faulty stage here breaks one rule."""

import pytest
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .stream_driver import Stalls, StreamError, capacity, drive


class Register(wiring.Component):
    """One register between two streams, with one planted fault (or none)."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        super().__init__(
            {
                "i": In(stream.Signature(unsigned(8))),
                "o": Out(stream.Signature(unsigned(8))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        free = Signal()
        full = Signal()
        n_taken = Signal(8, reset_less=self.fault == "ignores its reset")
        m.d.comb += [free.eq(~full | self.o.ready), self.i.ready.eq(free), self.o.valid.eq(full)]
        with m.If(free):
            m.d.sync += [full.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += n_taken.eq(n_taken + 1)

        match self.fault:
            case "withdraws":
                with m.If(~free):
                    m.d.sync += full.eq(0)
            case "changes":
                with m.If(~free):
                    m.d.sync += self.o.payload.eq(self.o.payload + 1)
            case "waits for ready":
                m.d.comb += self.o.valid.eq(full & self.o.ready)
            case "stops":
                m.d.comb += self.i.ready.eq(free & (n_taken != 5))
                with m.If(free & (n_taken == 5)):
                    m.d.sync += full.eq(0)
            case "ignores its reset":
                with m.If(free):
                    m.d.sync += self.o.payload.eq(n_taken)
        return m


ITEMS = list(range(1, 21))


def test_a_faultless_stage_passes() -> None:
    for stalls in (None, Stalls(1), Stalls(2, names=("i",)), Stalls(3, names=("o",))):
        for ready_after_valid in (False, True):
            run = drive(
                Register(),
                ITEMS,
                n_outputs=20,
                stalls=stalls,
                ready_after_valid=ready_after_valid,
            )
            assert run.outputs == ITEMS


def test_times_are_those_of_the_transfers() -> None:
    run = drive(Register(), ITEMS, n_outputs=20)
    assert run.input_cycles["i"] == list(range(20))
    assert run.output_cycles == list(range(1, 21))
    assert run.latency(3, 3) == 1
    assert run.intervals(5) == [5, 5, 5]


def test_capacity_counts_what_is_accepted_while_the_output_waits() -> None:
    assert capacity(Register(), ITEMS) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("withdraws", "an offered output was withdrawn"),
        ("changes", "an offered payload changed from 2 to 3"),
        ("stops", "nothing moved for 200 cycles.*5 of 20 accepted on i, 5 outputs taken"),
        ("waits for ready", "o.valid depends on o.ready"),
    ],
)
def test_a_broken_contract_is_named(fault: str, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        drive(Register(fault), ITEMS, n_outputs=20, stalls=Stalls(1))


def test_an_output_too_many_is_an_error() -> None:
    with pytest.raises(StreamError, match="more than the 19 expected outputs"):
        drive(Register(), ITEMS, n_outputs=19)


def test_an_output_too_few_is_an_error() -> None:
    with pytest.raises(StreamError, match="nothing moved for 200 cycles"):
        drive(Register(), ITEMS, n_outputs=21)


def test_a_reset_in_the_middle_starts_again() -> None:
    assert drive(Register(), ITEMS, n_outputs=20, reset_after=7).outputs == ITEMS
    run = drive(Register("ignores its reset"), ITEMS, n_outputs=20, reset_after=7)
    assert run.outputs == list(range(7, 27))


def test_stalls_are_a_function_of_seed_and_stream() -> None:
    def first(stalls: Stalls, name: str) -> list[bool]:
        pattern = stalls.pattern(name)
        return [next(pattern) for _ in range(100)]

    assert first(Stalls(1), "o") == first(Stalls(1), "o")
    assert first(Stalls(1), "o") != first(Stalls(2), "o")
    assert first(Stalls(1), "o") != first(Stalls(1), "i")
    assert all(first(Stalls(1, names=("i",)), "o"))
