"""What a comparison of a trained residual network with its integer network found, as a table and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..terminal import Terminal

if TYPE_CHECKING:
    from ..lower.residual_agreement import ResidualAgreement, StreamError  # needs PyTorch


def stream_error_table(terminal: Terminal, agreement: ResidualAgreement) -> None:
    """A row per edge of the residual stream, and what follows for the whole."""
    terminal.table(
        "errors of the residual stream",
        ["edge", "largest", "mean", "largest, last bits", "rounding alone, last bits"],
        (
            _row(name, error)
            for name, error in {**agreement.stream, "scores": agreement.scores}.items()
        ),
    )
    differ, bits = sum(agreement.disagreements.values()), sum(agreement.bits.values())
    right = f"float {100 * agreement.accuracy_float:.2f} %, integer {100 * agreement.accuracy_integer:.2f} % right"
    terminal.result(
        f"{agreement.images} test images: {right}, same class on {100 * agreement.class_agreement:.2f} %"
    )
    terminal.result(
        f"{differ} of {bits} binary activations differ, {sum(agreement.saturations.values())} saturations"
    )


def _row(name: str, error: StreamError) -> list[object]:
    return [
        name,
        float(f"{error.largest:.3g}"),
        float(f"{error.mean:.2g}"),
        round(error.largest_lsb, 2),
        round(error.rounding_lsb, 2),
    ]
