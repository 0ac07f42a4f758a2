"""`rbonn.hw.concat_channels`: copies in their order, one output in every cycle, room for the pixel that comes next."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Elaboratable, Module, Mux, Signal
from hypothesis import given, settings
from hypothesis import strategies as st
from rbonn.hw.concat_channels import ConcatChannels, ConcatChannelsConfig

from .affine_case import packed
from .formal import assert_offer_holds, prove
from .netlists import cells_of, netlist
from .planted import Fault, each_fault
from .stream_driver import Stalls, capacity, drive
from .verilog_driver import drive_verilog

CONFIGS = [
    ConcatChannelsConfig(*row)
    for row in (
        (16, 8, 2, 2, 4),
        (4, 16, 4, 2, 6),
        (4, 5, 2, 3, 5),
        (6, 3, 2, 4, 3),
        (5, 2, 1, 2, 3),
        (3, 4, 1, 1, 5),
        (2, 4, 2, 1, 5),
        (32, 1, 4, 2, 2, "block"),
        (7, 9, 1, 5, 2, "logic"),
    )
]


def streams(config: ConcatChannelsConfig, n_frames: int, seed: int = 0) -> tuple[list[int], list[int]]:  # fmt: skip
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 1 << config.element_bits, (n_frames * config.pixels, config.channels))
    shape = config.element_bits, config.lanes
    return packed(x, *shape), packed(np.tile(x, (1, config.copies)), *shape)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_copies_come_in_order_one_transfer_in_every_cycle(config: ConcatChannelsConfig) -> None:
    inputs, expected = streams(config, 3)
    run = drive(config.component(), inputs, n_outputs=len(expected))
    assert run.outputs == expected
    assert run.latency(0, 0) == config.latency_cycles
    assert run.output_cycles == list(range(config.latency_cycles, config.latency_cycles + len(expected)))  # fmt: skip
    assert run.intervals(config.outputs_per_frame) == [config.interval_cycles] * 2


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("late", [False, True])
def test_stalls_on_both_sides_change_nothing(config: ConcatChannelsConfig, late: bool) -> None:
    inputs, expected = streams(config, 3, seed=1)
    for seed in range(2):
        run = drive(
            config.component(), inputs, n_outputs=len(expected), stalls=Stalls(seed), ready_after_valid=late
        )  # fmt: skip
        assert run.outputs == expected


def test_a_first_copy_leaves_two_cycles_after_each_input_that_comes_late() -> None:
    config = ConcatChannelsConfig(4, 8, 1, 2, 2)
    inputs, expected = streams(config, 1)
    stalls = Stalls(5, longest_go=1, longest_wait=20, names=("i",))
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=stalls)
    assert run.outputs == expected
    late = [k for k in range(1, 4) if run.input_cycles["i"][k] > run.output_cycles[k - 1]]
    assert late
    assert {run.latency(k, k) for k in late} == {config.latency_cycles}


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_two_pixels_fit(config: ConcatChannelsConfig) -> None:
    assert capacity(config.component(), list(range(100))) == config.capacity


@pytest.mark.parametrize("reset_after", [1, 3, 8])
def test_a_reset_starts_a_frame(reset_after: int) -> None:
    config = CONFIGS[0]
    inputs, expected = streams(config, 2)
    run = drive(
        config.component(), inputs, n_outputs=len(expected), reset_after=reset_after, stalls=Stalls(2)
    )  # fmt: skip
    assert run.outputs == expected


@settings(max_examples=30)
@given(
    st.integers(1, 6), st.integers(1, 9), st.integers(1, 3), st.integers(1, 4), st.integers(0, 999)
)
def test_any_shape_agrees_with_numpy_under_stalls(
    groups: int, bits: int, lanes: int, copies: int, seed: int
) -> None:
    config = ConcatChannelsConfig(groups * lanes, bits, lanes, copies, 3)
    inputs, expected = streams(config, 2, seed)
    run = drive(config.component(), inputs, n_outputs=len(expected), stalls=Stalls(seed))
    assert run.outputs == expected


@pytest.mark.synth
@pytest.mark.parametrize(("memory", "cell"), [("lut_ram", "TRELLIS_DPR16X4"), ("block", "DP16KD"), ("logic", "TRELLIS_FF")])  # fmt: skip
def test_the_netlist_keeps_pixels_in_the_memory_that_was_asked_for(memory: str, cell: str) -> None:
    config = dataclasses.replace(CONFIGS[0], memory=memory)
    inputs, expected = streams(config, 2)
    cells = netlist(config.component(), "ecp5")
    found = cells_of(cells) & {"TRELLIS_DPR16X4", "DP16KD"}
    assert found == {cell} - {"TRELLIS_FF"}
    for stalls in (None, Stalls(1)):
        run = drive_verilog(cells, inputs, n_outputs=len(expected), cells="ecp5", stalls=stalls)
        assert run.outputs == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 0}, "Channels must be at least 1, not 0"),
        ({"element_bits": 0}, "Element bits must be at least 1, not 0"),
        ({"lanes": 0}, "Lanes must be at least 1, not 0"),
        ({"copies": 0}, "Copies must be at least 1, not 0"),
        ({"pixels": 0}, "Pixels must be at least 1, not 0"),
        ({"lanes": 3}, "Lanes must divide channels=4, not 3"),
        ({"memory": "disk"}, r"Memory must be one of \('lut_ram', 'block', 'logic'\), not 'disk'"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        dataclasses.replace(ConcatChannelsConfig(4, 8, 2, 2), **change)


class CopiesBench(Elaboratable):
    """Any inputs and any stalls: output n is the input that its place in its pixel says, and holds; nothing stands still without need.

    One input, whichever the solver likes, is watched in all of its copies.
    """

    def __init__(self, concat: ConcatChannels) -> None:
        self.concat = concat

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.concat = concat = self.concat
        config, i, o = concat.config, concat.i, concat.o
        m.d.comb += [
            i.valid.eq(AnySeq(1)),
            i.payload.eq(AnySeq(config.input_width)),
            o.ready.eq(AnySeq(1)),
        ]
        n_in, watched, value = Signal(5), AnyConst(5), Signal(config.input_width)
        with m.If(i.valid & i.ready):
            m.d.sync += n_in.eq(n_in + 1)
            with m.If(n_in == watched):
                m.d.sync += value.eq(i.payload)
        # The input that the next output is a copy of.
        group, copy, pixel = Signal(range(config.groups)), Signal(range(config.copies)), Signal(5)
        source = (pixel + group)[:5]
        with m.If(o.valid & o.ready):
            ends_copy, ends_pixel = group == config.groups - 1, copy == config.copies - 1
            m.d.sync += group.eq(Mux(ends_copy, 0, group + 1))
            with m.If(ends_copy):
                m.d.sync += [
                    copy.eq(Mux(ends_pixel, 0, copy + 1)),
                    pixel.eq(pixel + Mux(ends_pixel, config.groups, 0)),
                ]
        with m.If(o.valid):
            m.d.comb += Assert(source < n_in)
            with m.If(source == watched):
                m.d.comb += Assert(o.payload == value)
        # The last copy gives places back; what it has just left may still be on offer.
        held, waited = Signal(5), Signal(3)
        m.d.sync += waited.eq(Mux((source < n_in) & ~o.valid, waited + 1, 0))
        m.d.comb += [
            held.eq(n_in - pixel - Mux(copy == config.copies - 1, group, 0)),
            Assert(waited < config.latency_cycles),
            Assert(i.ready | (held >= 2 * config.groups)),
            Assert(held <= 2 * config.groups + 1),
        ]
        assert_offer_holds(m, o)
        return m


SHAPES = [
    pytest.param((2, 1, 1, 2), marks=pytest.mark.slow),
    (1, 1, 1, 3),
    pytest.param((3, 1, 1, 1), marks=pytest.mark.slow),
]


@pytest.mark.formal
@pytest.mark.parametrize("shape", SHAPES)
def test_every_copy_comes_in_order_whatever_stalls_there_are(shape: tuple, tmp_path: Path) -> None:
    config = ConcatChannelsConfig(*shape, memory="logic")
    assert prove(CopiesBench(config.component()), tmp_path, depth=12) == "PASS"


@pytest.mark.slow
@pytest.mark.formal
@each_fault(
    Fault("overwrites a word", ConcatChannels, "put.eq(self.i.valid & is_free)", "put.eq(self.i.valid)"),
    Fault("reads too early", ConcatChannels, "get.eq((is_new | (copy != 0)) & (~self.o.valid | self.o.ready))", "get.eq(~self.o.valid | self.o.ready)"),
    Fault("overwrites its output", ConcatChannels, "(~self.o.valid | self.o.ready)", "1"),
    Fault("gives places back too early", ConcatChannels, '"free", get & is_last_copy, put', '"free", get, put'),
    Fault("the wrong pixel's copy", ConcatChannels, "bank_out ^ is_last_copy", "bank_out ^ 1"),
)  # fmt: skip
def test_the_proof_finds_a_planted_fault(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    config = ConcatChannelsConfig(2, 1, 1, 2, memory="logic")
    bench = CopiesBench(config.component())
    assert prove(bench, tmp_path, depth=12) == "FAIL"
