"""`rbonn.hw.primitives.ecp5.counting`: what its carry chains count, on Icarus and with a model of CCU2C, against plain arithmetic."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import product

import pytest
from amaranth.hdl import C, Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from rbonn.hw.primitives import COUNTING_FORMS, Adder, Lane
from rbonn.hw.primitives.ecp5.counting import LONGEST_CHAIN
from rbonn.sw.build.design import component_verilog

from .vectors import play

FORM = COUNTING_FORMS["ecp5"]


class Bench(wiring.Component):
    """Values of the form between ports: `build` makes `outputs` of `inputs`, all of stated widths."""

    def __init__(
        self,
        inputs: dict[str, int],
        outputs: dict[str, int],
        build: Callable[[Module, dict[str, Value]], dict[str, Value]],
    ) -> None:
        self.names, self.build = inputs, build
        super().__init__(
            {name: In(width) for name, width in inputs.items()}
            | {name: Out(width) for name, width in outputs.items()}
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        made = self.build(m, {name: getattr(self, name) for name in self.names})
        m.d.comb += [getattr(self, name).eq(value) for name, value in made.items()]
        return m


def results(bench: Bench, rows: Sequence[dict[str, int]]) -> list[dict[str, int | None]]:
    return play(component_verilog(bench), rows, family="ecp5")


def lanes_of(values: dict[str, Value], compared: Sequence[bool]) -> list[Lane]:
    """A lane for each flag; one that is compared already has no weight."""
    return [
        Lane(values["activations"][k], None if is_compared else values["weights"][k])
        for k, is_compared in enumerate(compared)
    ]


def matches(row: dict[str, int], lane: int, is_compared: bool) -> int:
    activation, weight = row["activations"] >> lane & 1, row["weights"] >> lane & 1
    return activation if is_compared else int(activation == weight)


@pytest.mark.parametrize("compared", list(product([False, True], repeat=3)))
def test_leaves_of_one_two_and_three_lanes_count_matches_inverted_for_all_inputs(
    compared: tuple[bool, ...],
) -> None:
    # The same three lanes in leaves that have neighbours on the chain on both sides.
    groups = [(0, 1, 2), (2, 1, 0), (1,), (0, 2), (1, 2, 0)]

    def build(m: Module, values: dict[str, Value]) -> dict[str, Value]:
        lanes = lanes_of(values, compared)
        counts = FORM.leaves(m, [[lanes[k] for k in group] for group in groups])
        return {f"o{k}": count for k, count in enumerate(counts)}

    rows = [{"activations": a, "weights": w} for a in range(8) for w in range(8)]
    outputs = {f"o{k}": len(group).bit_length() for k, group in enumerate(groups)}
    for row, result in zip(
        rows, results(Bench({"activations": 3, "weights": 3}, outputs, build), rows), strict=True
    ):
        counts = [sum(matches(row, k, compared[k]) for k in group) for group in groups]
        inverted = [
            (1 << len(group).bit_length()) - 1 - count
            for group, count in zip(groups, counts, strict=True)
        ]
        assert list(result.values()) == inverted, row


@pytest.mark.parametrize("seed", range(5))
def test_sums_of_one_level_or_more_share_chains_and_stay_right(seed: int) -> None:
    rng = random.Random(seed)
    n = rng.choice([1, 3, 9, 20])
    shapes = [
        (rng.randint(1, 6), rng.choice([None, rng.randint(1, 6)]), rng.choice([None, False, True]))
        for _ in range(n)
    ]
    inverted = [rng.random() < 0.3 for _ in range(n)]
    inputs = {"activations": n, "weights": n}
    inputs |= {f"a{k}": a for k, (a, _, _) in enumerate(shapes)}
    inputs |= {f"b{k}": b for k, (_, b, _) in enumerate(shapes) if b is not None}
    # A sum that never reaches its natural width may be asked for with fewer bits: here the operands stay small.
    most = [(1 << rng.randint(1, a)) - 1 for a, _, _ in shapes]
    bits = [
        (top + (0 if b is None else (1 << b) - 1) + (lane is not None)).bit_length()
        for top, (_, b, lane) in zip(most, shapes, strict=True)
    ]

    def build(m: Module, values: dict[str, Value]) -> dict[str, Value]:
        adders = [
            Adder(
                values[f"a{k}"],
                values.get(f"b{k}"),
                None
                if lane is None
                else Lane(values["activations"][k], None if lane else values["weights"][k]),
                inverted[k],
            )
            for k, (_, _, lane) in enumerate(shapes)
        ]
        half = n // 2
        made = FORM.sums(m, adders[:half], bits[:half]) + FORM.sums(m, adders[half:], bits[half:])
        return {f"o{k}": value for k, value in enumerate(made)}

    rows = [
        {name: rng.getrandbits(width) for name, width in inputs.items()}
        | {f"a{k}": rng.randint(0, top) for k, top in enumerate(most)}
        for _ in range(200)
    ]

    def stated(row: dict[str, int]) -> dict[str, int]:
        """The row with the operands of inverted adders as they are given."""
        return {
            name: (1 << inputs[name]) - 1 - value
            if name[0] in "ab" and name[1:].isdigit() and inverted[int(name[1:])]
            else value
            for name, value in row.items()
        }

    outputs = {f"o{k}": width for k, width in enumerate(bits)}
    played = results(Bench(inputs, outputs, build), [stated(row) for row in rows])
    for row, result in zip(rows, played, strict=True):
        for k, (_, _, lane) in enumerate(shapes):
            match = 0 if lane is None else matches(row, k, lane)
            assert result[f"o{k}"] == row[f"a{k}"] + row.get(f"b{k}", 0) + match, (row, k)


@pytest.mark.parametrize(
    ("count_bits", "constant", "lane"),
    [
        (1, None, False),
        (3, None, None),
        (3, None, True),
        (5, None, False),
        (1, 0, None),
        (3, 0, False),
        (5, 5, True),
    ],
)
def test_an_accumulator_starts_at_the_preset_or_adds_for_all_inputs(
    count_bits: int, constant: int | None, lane: bool | None
) -> None:
    rng = random.Random(count_bits)
    width = 5
    inputs = {
        "accumulator": width,
        "count": count_bits,
        "activations": 1,
        "weights": 1,
        "start": width,
        "is_first": 1,
    }

    def build(m: Module, values: dict[str, Value]) -> dict[str, Value]:
        total = FORM.accumulated(
            m,
            values["accumulator"],
            values["count"],
            None if lane is None else lanes_of(values, [lane])[0],
            values["start"] if constant is None else C(constant, width),
            values["is_first"],
        )
        return {"o": total}

    rows = [
        dict(zip(inputs, values, strict=True))
        for values in product(*(range(1 << bits) for bits in inputs.values()))
    ]
    rows = rng.sample(rows, min(len(rows), 4096))
    for row, result in zip(rows, results(Bench(inputs, {"o": width}, build), rows), strict=True):
        start = row["start"] if constant is None else constant
        match = 0 if lane is None else matches(row, 0, lane)
        before = start if row["is_first"] else row["accumulator"]
        assert result["o"] == (before + row["count"] + match) % (1 << width), row


def test_three_lanes_cost_two_halves_and_adders_of_a_module_share_a_chain() -> None:
    def build(m: Module, values: dict[str, Value]) -> dict[str, Value]:
        lanes = lanes_of(values, [False] * 16)
        counts = FORM.leaves(m, [lanes[k : k + 3] for k in range(0, 12, 3)])
        pairs = FORM.sums(m, [Adder(counts[0], counts[1], lanes[12], True), Adder(counts[2], counts[3], lanes[13], True)], [3, 3])  # fmt: skip
        (total,) = FORM.sums(m, [Adder(pairs[0], pairs[1], lanes[14])], [4])
        return {"o": total}

    bench = Bench({"activations": 16, "weights": 16}, {"o": 4}, build)
    rng = random.Random(0)
    rows = [{name: rng.getrandbits(16) for name in ("activations", "weights")} for _ in range(300)]
    for row, result in zip(rows, results(bench, rows), strict=True):
        assert result["o"] == sum(matches(row, k, False) for k in range(15))
    # Four leaves of 2 halves, two adders of 3, one of 4, and the last carry: 19.
    assert component_verilog(bench).count("CCU2C #(") == 10


def test_a_chain_that_is_long_enough_takes_no_more_adders() -> None:
    n = LONGEST_CHAIN

    def build(m: Module, values: dict[str, Value]) -> dict[str, Value]:
        lanes = lanes_of(values, [False] * 3 * n)
        counts = FORM.leaves(m, [lanes[k : k + 3] for k in range(0, 3 * n, 3)])
        return {"o": Cat(counts)}

    bench = Bench({"activations": 3 * n, "weights": 3 * n}, {"o": 2 * n}, build)
    rng = random.Random(0)
    rows = [
        {name: rng.getrandbits(3 * n) for name in ("activations", "weights")} for _ in range(50)
    ]
    for row, result in zip(rows, results(bench, rows), strict=True):
        counts = [sum(matches(row, 3 * k + j, False) for j in range(3)) for k in range(n)]
        assert result["o"] == sum(3 - count << 2 * k for k, count in enumerate(counts))
    # Two chains of the length and a half cell for the end of each.
    assert component_verilog(bench).count("CCU2C #(") == 2 * (n // 2 + 1)
