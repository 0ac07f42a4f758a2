import io

from rbonn.sw.lower.residual_agreement import ResidualAgreement, StreamError
from rbonn.sw.report.stream_errors import stream_error_table
from rbonn.sw.terminal import Terminal
from rich.console import Console

AGREEMENT = ResidualAgreement(
    images=1000, accuracy_float=0.8712, accuracy_integer=0.87, class_agreement=0.98,
    stream={"stem_norm": StreamError(0.00123456, 0.00049, 0.632, 0.501), "block1": StreamError(1.5, 0.02, 768.0, 1.21)},
    scores=StreamError(0.5, 0.125, 64.0, 8.375),
    bits={"block1_bits": 2000, "block2_bits": 500}, disagreements={"block1_bits": 3, "block2_bits": 4},
    saturations={"average": 5, "block1_sum": 0},
)  # fmt: skip


def test_a_row_per_edge_and_the_whole_in_two_lines():
    text = io.StringIO()
    stream_error_table(Terminal(out=Console(file=text, width=120, highlight=False)), AGREEMENT)
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.getvalue().splitlines() if "│" in line]  # fmt: skip
    assert cells == [
        ["stem_norm", "0.00123", "0.00049", "0.63", "0.5"],
        ["block1", "1.5", "0.02", "768.0", "1.21"],
        ["scores", "0.5", "0.12", "64.0", "8.38"],
    ]
    assert text.getvalue().splitlines()[-2:] == [
        "1000 test images: float 87.12 %, integer 87.00 % right, same class on 98.00 %",
        "7 of 2500 binary activations differ, 5 saturations",
    ]
