"""The Verilog driver does what the driver in Amaranth's simulator does, and catches the same faults, and unknown bits besides."""

from typing import Any

import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from rbonn.hw.fifo import FifoConfig
from rbonn.sw.build.design import component_verilog

from .netlists import cells_of, netlist
from .stream_driver import Stalls, StreamError, drive
from .test_stream_driver import ITEMS, Register
from .verilog_driver import drive_verilog

FAMILIES = ("ice40", "ecp5")


@pytest.mark.parametrize("stalls", [None, Stalls(1), Stalls(2, names=("i",)), Stalls(3, names=("o",))])  # fmt: skip
@pytest.mark.parametrize("options", [{}, {"ready_after_valid": True}, {"reset_after": 7}])
def test_every_cycle_is_as_in_amaranths_simulator(stalls: Stalls | None, options: Any) -> None:
    arguments = {"n_outputs": 20, "stalls": stalls} | options
    assert drive_verilog(Register(), ITEMS, **arguments) == drive(Register(), ITEMS, **arguments)


@pytest.mark.synth
@pytest.mark.parametrize("family", FAMILIES)
def test_a_netlist_does_in_every_cycle_what_its_source_does(family: str) -> None:
    words = [(7 * k) % 32 for k in range(150)]
    cells = netlist(FifoConfig(width=5, depth=40).component(), family)
    assert {"ice40": "SB_RAM40_4K", "ecp5": "DP16KD"}[family] in cells_of(cells)
    for seed in range(2):
        arguments = {"n_outputs": 150, "stalls": Stalls(seed)}
        run = drive_verilog(cells, words, cells=family, **arguments)
        assert run == drive(FifoConfig(width=5, depth=40).component(), words, **arguments)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("withdraws", "an offered output was withdrawn"),
        ("changes", "an offered payload changed from 2 to 3"),
        ("stops", "nothing moved for 200 cycles.*5 of 20 accepted on i, 5 outputs taken"),
        ("waits for ready", "o.valid depends on o.ready"),
    ],
)
def test_a_broken_contract_is_named_as_there(fault: str, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        drive_verilog(Register(fault), ITEMS, n_outputs=20, stalls=Stalls(1))


@pytest.mark.parametrize("n_outputs", [0, 19])
def test_an_output_too_many_is_an_error(n_outputs: int) -> None:
    with pytest.raises(StreamError, match=f"more than the {n_outputs} expected outputs"):
        drive_verilog(Register(), ITEMS, n_outputs=n_outputs)


def test_an_output_too_few_is_an_error() -> None:
    with pytest.raises(StreamError, match=r"nothing moved for 200 cycles.*20 outputs taken"):
        drive_verilog(Register(), ITEMS, n_outputs=21)


class Unwritten(wiring.Component):
    """Answers each word with one of a memory's output register, which nothing has loaded: in Amaranth's simulator that is 0."""

    def __init__(self) -> None:
        ports = stream.Signature(unsigned(4))
        super().__init__({"i": In(ports), "o": Out(ports)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=4, depth=4, init=[1, 2, 3])
        read = memory.read_port()
        m.d.comb += [
            read.en.eq(0),
            self.o.payload.eq(read.data),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        return m


def test_what_was_never_written_is_unknown() -> None:
    drive(Unwritten(), [1], n_outputs=1)
    with pytest.raises(StreamError, match="an offered payload has unknown bits x"):
        drive_verilog(Unwritten(), [1], n_outputs=1)


def test_streams_and_resets_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Inputs must be streams of the module, not \['x'\]"):
        drive_verilog(Register(), {"x": [1]}, n_outputs=0)
    verilog = component_verilog(Register()).replace("input rst;", "")
    with pytest.raises(ValueError, match="must have a port rst"):
        drive_verilog(verilog, [1], n_outputs=1, reset_after=1)
