"""`rbonn.hw.parallel_window`: every window, proved for the first frames whatever comes in, however both sides stall and whenever they reset."""

from pathlib import Path

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Array, Assert, Cat, Const, Elaboratable, Module, Mux, Signal
from rbonn.hw import parallel_window
from rbonn.hw.parallel_window import ParallelWindow, ParallelWindowConfig

from .formal import assert_offer_holds, prove
from .planted import Fault, each_fault

pytestmark = pytest.mark.formal

FRAMES = 3
CONFIGS = {
    "same": (ParallelWindowConfig(2, 2, 1, 1, 3, 3, 1, 1), 15),
    "stride": (ParallelWindowConfig(3, 2, 1, 1, 2, 2, 2, 1), 15),
    "direct": (ParallelWindowConfig(2, 2, 1, 1, 3, 3, 1, 1, back_pressure="direct"), 15),
    "no padding": (ParallelWindowConfig(3, 2, 1, 1, 2, 1, 1, 0), 15),
}


class Windows(Elaboratable):
    """Keeps the pixels of three frames and compares each window that is offered with them."""

    def __init__(self, config: ParallelWindowConfig) -> None:
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.stage = stage = parallel_window.ParallelWindow(config)
        i, o = stage.i, stage.o
        m.d.comb += [i.valid.eq(AnySeq(1)), i.payload.eq(AnySeq(1)), o.ready.eq(AnySeq(1))]
        n_pixels, n_windows = config.inputs_per_frame, config.outputs_per_frame
        all_pixels, all_windows = FRAMES * n_pixels, FRAMES * n_windows
        pixels = Array(Signal(name=f"pixel_{k}") for k in range(all_pixels))
        n_in, n_out = Signal(range(all_pixels)), Signal(range(all_windows))
        ahead = Signal(
            range(all_pixels + 2)
        )  # pixels that came since the frame of the window at hand began
        accepts, takes = i.valid & i.ready, o.valid & o.ready
        ends = takes & n_out.matches(*range(n_windows - 1, all_windows, n_windows))
        m.d.sync += ahead.eq(ahead + accepts - Mux(ends, n_pixels, 0))
        with m.If(accepts):
            m.d.sync += pixels[n_in].eq(i.payload)
            m.d.sync += n_in.eq(Mux(n_in == all_pixels - 1, 0, n_in + 1))
        with m.If(takes):
            m.d.sync += n_out.eq(Mux(n_out == all_windows - 1, 0, n_out + 1))

        with m.If(o.valid), m.Switch(n_out):
            for k in range(all_windows):
                with m.Case(k):
                    window, needed = self._window(pixels, k)
                    m.d.comb += [Assert(o.payload == window), Assert(ahead >= needed)]
        # No pixel that is compared has been overwritten.
        m.d.comb += Assert(ahead <= all_pixels)
        assert_offer_holds(m, o)
        return m

    def _window(self, pixels: Array, k: int) -> tuple[Cat, int]:
        """Window number `k` of those frames, and the pixels of its frame that must have come."""
        config = self.config
        frame, place = divmod(k, config.outputs_per_frame)
        top, left = (p * config.stride - config.padding for p in divmod(place, config.out_width))
        taps, needed = [], 0
        for row in range(top, top + config.kernel_height):
            for column in range(left, left + config.kernel_width):
                inside = 0 <= row < config.height and 0 <= column < config.width
                at = row * config.width + column
                taps.append(pixels[frame * config.inputs_per_frame + at] if inside else Const(0))
                needed = max(needed, at + 1 if inside else 0)
        return Cat(taps), needed


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=() if k == "same" else pytest.mark.slow) for k in CONFIGS]
)
def test_windows_are_those_of_the_image(kind: str, tmp_path: Path) -> None:
    config, depth = CONFIGS[kind]
    assert prove(Windows(config), tmp_path, depth=depth) == "PASS"


@each_fault(
    Fault("keeps what is not taken", ParallelWindow, "is_input = accept & (write.rows_above == j)", "is_input = write.rows_above == j"),
    Fault("an offer counts as taken", ParallelWindow, "(self.o.valid & ~self.o.ready)", "self.o.valid"),
    Fault("moves without room", ParallelWindow, "is_free.eq(~self.o.valid | (self.o.ready & is_direct))", "is_free.eq(1)"),
    Fault("reads too early", ParallelWindow, "m.d.sync += is_read.eq(may_read | ~place)", "m.d.sync += is_read.eq(1)"),
)  # fmt: skip
def test_a_planted_fault_is_found(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    config, depth = CONFIGS["same"]
    assert prove(Windows(config), tmp_path, depth=depth) == "FAIL"
