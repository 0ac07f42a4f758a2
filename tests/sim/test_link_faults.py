# amaranth: UnusedElaboratable=no
"""`rbonn.sim.link.simulate_link_faults`: every command suffers every fault on its way, and the design gets over it; planted faults are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rbonn.hw.packet import PacketReceiver
from rbonn.hw.protocol import Command
from rbonn.hw.top import Top, TopConfig
from rbonn.hw.trace import TraceConfig
from rbonn.sim.line_faults import FAULTS
from rbonn.sim.link import FaultsResult, simulate_link_faults
from rbonn.sw.build.design import component_verilog
from rbonn.sw.errors import SimulationError

from ..hw.planted import Fault, each_fault
from ..hw.serial_bench import DIVISOR, IMAGE_BYTES, INFO, FakeCore, scores_of

pytestmark = pytest.mark.cosim

BOARD = replace(INFO, trace_bytes=IMAGE_BYTES, receive_buffer_bytes=256)
IMAGES = np.random.default_rng(2).integers(0, 256, (6, IMAGE_BYTES), dtype=np.uint8)
SCORES = np.array([scores_of(bytes(image)) for image in IMAGES])


def suffer(folder: Path, pause: int, interval_cycles: int, **options) -> FaultsResult:
    """A core that waits so many cycles before each byte and score, and what it tells of itself."""
    info = replace(BOARD, interval_cycles=interval_cycles)
    config = TopConfig(
        info, INFO.clock_hz // DIVISOR, traces=(TraceConfig("taken", 8, IMAGE_BYTES),)
    )
    verilog = component_verilog(Top(config, FakeCore(pause)), "top")
    return simulate_link_faults(
        verilog, "top", info, DIVISOR * 1.01, IMAGES, SCORES, SCORES.argmax(axis=1), IMAGES, folder=folder, **options
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pause", "interval_cycles", "overruns"),
    [(0, 9, 3), pytest.param(90, 819, 10, marks=pytest.mark.slow)],
)
def test_behind_every_fault_the_design_is_ready_again(
    pause: int, interval_cycles: int, overruns: int, tmp_path: Path
) -> None:
    """A core that is faster than the line, and one that is slower."""
    progress = []
    result = suffer(tmp_path, pause, interval_cycles, rounds=3, progress=lambda *event: progress.append(event))  # fmt: skip
    assert (result.mismatches, result.first_mismatch) == (0, None)
    commands = [command for command in Command if command != Command.LOAD]
    assert result.faults == 3 * len(commands) * len(FAULTS)
    assert result.answers_compared > 3 * result.faults
    assert result.latest_cycles <= interval_cycles
    assert result.overruns >= overruns
    assert progress[-1] == ("faults", result.faults, result.faults)


@pytest.mark.slow
@each_fault(
    Fault(
        "takes damaged requests",
        PacketReceiver,
        "with m.If(~crc.match | damaged):",
        "with m.If(damaged & overrun):",
        case="refused",
    ),
    Fault(
        "leaves an image as it is where a frame ends within it",
        PacketReceiver,
        "filling.eq(in_payload & begun & self.i.valid & end),",
        "filling.eq(0),",
        case="no answer to INFER",
    ),
    Fault(
        "is ready late behind a refused request",
        PacketReceiver,
        """m.d.sync += self.restart.eq(0)
                m.next = "RESTARTED\"""",
        """late = Signal(13)
                m.d.sync += [self.restart.eq(0), late.eq(late + 1)]
                with m.If(late.all() | is_granted(reply)):
                    m.next = "RESTARTED\"""",
        case="cycles_late",
    ),
    Fault(
        "keeps what it has begun over a line break",
        Top,
        "line_break.eq(uart_receiver.line_break),",
        "line_break.eq(0),",
        case="line_break",
    ),
)
def test_a_planted_fault_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    try:
        found = str(suffer(tmp_path, 0, 9).first_mismatch)
    except SimulationError as error:
        found = error.message
    assert fault.case in found
