"""Tables of trainable networks, as a terminal, a pipe and a string show them."""

import io

from rbonn.sw.report.network_table import network_table, network_table_text
from rbonn.sw.terminal import Terminal
from rbonn.sw.train.networks.summary import LayerSummary, Summary
from rich.console import Console

NETWORK = Summary(
    (
        LayerSummary(name="stem", kind="Conv2d", output_shape=(32, 16, 4), real_parameters=1234, real_macs=5_000_000,
                     memory_bits=1234 * 32, block="stem"),
        LayerSummary(name="group.0.sign", kind="RSign", output_shape=(32, 16, 4), block="group.0"),
        LayerSummary(name="group.0.product", kind="RBOConv2d", output_shape=(16, 8, 4), binary_parameters=2304,
                     binary_macs=70_000, memory_bits=2304, block="group.0"),
    )
)  # fmt: skip


def cells(text):
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]  # fmt: skip


def test_a_row_per_layer_or_block_and_the_sums():
    text = network_table_text("small", NETWORK)
    assert text.splitlines()[0].strip() == "small"
    assert cells(text) == [
        ["stem", "Conv2d", "32 x 16 x 4", "-", "1 234", "-", "5 000 000", "4.9"],
        ["group.0", "Block", "16 x 8 x 4", "2 304", "-", "70 000", "-", "0.3"],
        ["total", "", "16 x 8 x 4", "2 304", "1 234", "70 000", "5 000 000", "5.2"],
    ]
    assert text.splitlines()[-2:] == [
        "2 304 binary weights and 1 234 real parameters, 5.2 kB",
        "7e+04 binary and 5e+06 real multiply-accumulates per image",
    ]


def test_every_layer_can_be_asked_for():
    names = [row[0] for row in cells(network_table_text("small", NETWORK, every_layer=True))]
    assert names == ["stem", "group.0.sign", "group.0.product", "total"]


def test_json_output_has_no_table():
    out = io.StringIO()
    network_table(Terminal(as_json=True, out=Console(file=out)), "small", NETWORK)
    assert out.getvalue() == ""
