"""Tables of plans, builds and simulations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..build.result import BuildResult
from ..plan.limits import Limits
from ..plan.roofline import Roofline
from ..plan.summary import PlanSummary
from ..terminal import Terminal

if TYPE_CHECKING:
    from ..lower.agreement import Agreement  # needs PyTorch
    from ..train.training_result import TrainingResult


class Simulated(Protocol):
    """What is read of a simulation's result."""

    @property
    def images(self) -> int: ...
    @property
    def mismatches(self) -> int: ...
    @property
    def first_mismatch(self) -> object: ...
    @property
    def boundaries_checked(self) -> int: ...
    @property
    def elements_compared(self) -> int: ...
    @property
    def initiation_interval_cycles(self) -> int: ...
    @property
    def latency_cycles(self) -> int: ...
    @property
    def cycles_simulated(self) -> int: ...
    @property
    def wall_seconds(self) -> float: ...
    @property
    def simulator(self) -> str: ...


def plan_table(
    terminal: Terminal,
    summary: PlanSummary,
    limits: Limits | None = None,
    roofline: Roofline | None = None,
) -> None:
    """A row per layer, and what follows for the whole; with `limits` what keeps layers from being faster, with `roofline` how fast the board could be."""
    columns = ["layer", "kind", "matrix", "PE", "SIMD", "cycles", "LUT4", "RAMs"]
    terminal.table(
        f"{summary.network} on {summary.board}",
        [*columns, *(["bound by"] if limits else [])],
        (
            [
                layer.name,
                layer.kind,
                f"{layer.mh} x {layer.mw}" if layer.mh else None,
                layer.pe,
                layer.simd,
                layer.cycles_per_frame or None,
                layer.lut4,
                layer.block_rams,
                *([limits.binds.get(layer.name, "")] if limits else []),
            ]
            for layer in summary.layers
        ),
    )
    totals = summary.totals
    bound = "" if summary.cycles_are_exact else "at least "
    terminal.result(
        f"{bound}{summary.initiation_interval_cycles} cycles per frame: {summary.frames_per_second:.0f} frames per second "
        f"at {summary.clock_hz / 1e6:g} MHz; first answer after {bound}{summary.latency_cycles} cycles"
    )
    terminal.result(
        f"estimated before synthesis: {totals.lut4} LUT4, {totals.ff} flip-flops, {totals.block_rams} block RAMs"
    )
    if summary.proof:
        terminal.result(summary.proof.text())
    if limits:
        slowest = max(layer.cycles_per_frame for layer in summary.layers)
        terminal.result(limit_line(limits, slowest))
    if roofline:
        terminal.result(roofline_line(roofline))


def limit_line(limits: Limits, interval_cycles: int) -> str:
    """What keeps a plan from being faster, in words."""
    first, *others = [name for name in limits.interval_layers if name in limits.binds or not limits.binds]  # fmt: skip
    names = f"{first} and {len(others)} more" if others else first
    if limits.kind is None:
        return f"{interval_cycles} cycles set by {names}, not by the board: faster foldings fit"
    if limits.kind == "cycles":
        return f"{interval_cycles} cycles set by {names}, which no folding makes faster"
    return (
        f"{interval_cycles} cycles set by {names}: faster foldings take {limits.needed} {limits.kind} more, "
        f"{limits.left} are left"
    )


def roofline_line(roofline: Roofline) -> str:
    """How fast a board could be, and where a plan stands, in words."""
    intensity = roofline.operations_per_weight_bit
    read = "weights in logic" if intensity is None else f"{intensity:.1f} per weight bit read"
    return (
        f"roofline: {roofline.peak_operations_per_second / 1e9:.4g} G operations of one bit per second in lookup tables, "
        f"{roofline.weight_bits_per_second / 1e9:.4g} Gbit/s of weights; here {roofline.operations_per_second / 1e9:.4g} G, "
        f"{read}: {100 * roofline.share:.0f} % of what {roofline.roof} allow"
    )


def build_table(terminal: Terminal, result: BuildResult) -> None:
    """What was used of what the device has, and the clock."""
    resources, capacity = result.resources, result.capacity
    names = {"lut4": "LUT4", "ff": "flip-flops", "block_rams": "block RAMs", "dsp": "DSP"}
    packed = [["logic cells, packed", resources.logic_cells, capacity["lut4"]]]
    terminal.table(
        f"{result.name} on {result.board}",
        ["resource", "used", "available", "%"],
        (
            [title, used, available, round(100 * used / available) if available else None]
            for title, used, available in [
                *packed,
                *(
                    [title, getattr(resources, name), capacity[name]]
                    for name, title in names.items()
                ),
            ]
        ),
    )
    verdict = "timing met" if result.timing_met else "TIMING NOT MET"
    terminal.result(
        f"{verdict}: {result.fmax_hz / 1e6:.1f} MHz reached, {result.clock_hz / 1e6:g} MHz made by the PLL, {result.asked_hz / 1e6:g} MHz asked for; "
        f"built in {result.seconds:.0f} s{' (from the cache)' if result.cached else ''}"
    )
    if len(result.seeds_tried) > 1:
        others = ", ".join(str(seed) for seed in result.seeds_tried if seed != result.seed)
        terminal.result(
            f"seed {result.seed} of place and route; with {others} it found no place or missed the clock"
        )


def simulation_lines(result: Simulated, planned_interval: int | None = None) -> list[str]:
    """The verdict of a simulation in words."""
    if result.mismatches:
        return [
            f"{result.mismatches} of {result.elements_compared} values differ; first: {result.first_mismatch}"
        ]
    planned = "" if planned_interval is None else f" (planned {planned_interval})"
    if planned_interval is not None and result.initiation_interval_cycles > planned_interval:
        planned = f", SLOWER than the planned {planned_interval}"
    compared = f"{result.elements_compared} values compared on {result.boundaries_checked} edges of the graph"
    cycles = f"{result.initiation_interval_cycles} cycles per frame{planned}"
    speed = f"{result.cycles_simulated / result.wall_seconds / 1000:.0f} thousand per second"
    return [
        f"{result.images} of {result.images} images, every output bit equal: {compared}",
        f"{cycles}, first answer after {result.latency_cycles} cycles",
        f"{result.cycles_simulated} cycles simulated in {result.wall_seconds:.1f} s ({speed}, {result.simulator})",
    ]


class Conversed(Protocol):
    """What is read of a conversation over a simulated serial line."""

    @property
    def images(self) -> int: ...
    @property
    def mismatches(self) -> int: ...
    @property
    def first_mismatch(self) -> object: ...
    @property
    def answers_compared(self) -> int: ...
    @property
    def cycles_simulated(self) -> int: ...


def link_lines(result: Conversed) -> list[str]:
    """The verdict of a conversation over a simulated serial line in words."""
    if result.mismatches:
        return [
            f"{result.mismatches} of {result.answers_compared} answers differ; first: {result.first_mismatch}"
        ]
    return [
        f"{result.images} images sent and answered over the serial line, every score and label equal",
        f"{result.cycles_simulated} cycles of the whole top level, damaged requests and a reset among them",
    ]


def training_lines(result: TrainingResult) -> list[str]:
    """What a training gave, in words; the intervals are 95 % ones."""

    def share(images: str, value: float, interval: tuple[float, float]) -> str:
        low, high = (100 * end for end in interval)
        return f"{images}: {100 * value:.2f} % right ({low:.2f} to {high:.2f})"

    return [
        f"best epoch {result.best_epoch}: {100 * result.selection_accuracy:.2f} % on the selection images, which chose it",
        share(
            f"{result.held_out_images} held-out images",
            result.held_out_accuracy,
            result.held_out_interval,
        ),
        share(f"{result.test_images} test images", result.test_accuracy, result.test_interval),
        f"{result.seconds / 60:.1f} minutes",
    ]


def agreement_lines(agreement: Agreement) -> list[str]:
    """What a comparison of float and integer network found, in words."""
    differ, bits = sum(agreement.disagreements.values()), sum(agreement.bits.values())
    right = f"float {100 * agreement.accuracy_float:.2f} %, integer {100 * agreement.accuracy_integer:.2f} % right"
    same = f"same class on {100 * agreement.class_agreement:.2f} %"
    saturations = sum(agreement.saturations.values())
    return [
        f"{agreement.images} test images: {right}, {same}",
        f"{differ} of {bits} binary activations differ ({agreement.float_ties} float ties), {saturations} saturations",
    ]
