"""Tables of what trainable networks consist of."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from ..terminal import FILE_COLUMNS, Terminal

if TYPE_CHECKING:
    from ..train.networks.summary import LayerSummary, Summary  # needs PyTorch

_BITS_PER_KILOBYTE = 8000


def network_table(
    terminal: Terminal, title: str, summary: Summary, *, every_layer: bool = False
) -> None:
    """A row per layer, and the sums; a `Block` is one row unless `every_layer` asks for what is inside."""
    total = summary.total
    rows = summary.layers if every_layer else summary.blocks()
    terminal.table(
        title,
        ["layer", "kind", "output", "binary", "real", "binary MACs", "real MACs", "kB"],
        (_row(layer) for layer in (*rows, total)),
    )
    terminal.result(
        f"{_spaced(total.binary_parameters)} binary weights and {_spaced(total.real_parameters)} real parameters, "
        f"{total.memory_bits / _BITS_PER_KILOBYTE:.1f} kB"
    )
    terminal.result(
        f"{total.binary_macs:.4g} binary and {total.real_macs:.4g} real multiply-accumulates per image"
    )


def network_table_text(title: str, summary: Summary, *, every_layer: bool = False) -> str:
    """What `network_table` shows, as plain text of lines."""
    text = io.StringIO()
    console = Console(file=text, width=FILE_COLUMNS, highlight=False, no_color=True)
    network_table(Terminal(out=console), title, summary, every_layer=every_layer)
    return text.getvalue()


def _row(layer: LayerSummary) -> list[object]:
    return [
        layer.name,
        layer.kind,
        " x ".join(str(size) for size in layer.output_shape),
        layer.binary_parameters or None,
        layer.real_parameters or None,
        layer.binary_macs or None,
        layer.real_macs or None,
        round(layer.memory_bits / _BITS_PER_KILOBYTE, 1) or None,
    ]


def _spaced(value: int) -> str:
    return f"{value:,}".replace(",", " ")
