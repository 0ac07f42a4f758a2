"""`rbonn.hw.primitives.ice40.counting`: numbers equal arithmetic, and cells are those that its docstring states."""

import itertools
import json
import random
import subprocess
from collections.abc import Callable, Iterable, Sequence
from operator import eq
from pathlib import Path

import pytest
from amaranth.back import verilog
from amaranth.hdl import C, Module, Signal, Value
from amaranth.sim import Simulator
from rbonn.hw.primitives import Adder, Lane
from rbonn.hw.primitives.ice40 import Ice40Counting
from rbonn.sw.build.toolchain import find_tool, use_in_amaranth

FORMS = [
    Ice40Counting(),
    Ice40Counting(carry_lanes=True),
    Ice40Counting(carry_lanes=True, twin_inputs=False),
]


class Bench:
    """Signals of one form under test: `new` makes an input, `outputs` are looked at."""

    def __init__(self) -> None:
        self.m = Module()
        self.inputs: list[Signal] = []

    def new(self, n_bits: int) -> Signal:
        self.inputs.append(Signal(n_bits, name=f"i{len(self.inputs)}"))
        return self.inputs[-1]

    def lane(self, *, compared: bool) -> Lane:
        return Lane(self.new(1)) if compared else Lane(self.new(1), self.new(1))

    def results(
        self, outputs: Sequence[Value], vectors: Iterable[Sequence[int]]
    ) -> list[tuple[int, ...]]:
        """`outputs` for each of `vectors`, which has a value for each input."""
        probes = [Signal(len(output), name=f"o{k}") for k, output in enumerate(outputs)]
        self.m.d.comb += [probe.eq(output) for probe, output in zip(probes, outputs, strict=True)]
        results = []

        async def bench(ctx) -> None:
            for vector in vectors:
                for port, value in zip(self.inputs, vector, strict=True):
                    ctx.set(port, value)
                results.append(tuple(ctx.get(probe) for probe in probes))

        simulator = Simulator(self.m)
        simulator.add_testbench(bench)
        simulator.run()
        return results

    def all_vectors(self) -> list[tuple[int, ...]]:
        return list(itertools.product(*(range(1 << len(port)) for port in self.inputs)))

    def vectors(self, n: int, seed: int) -> list[tuple[int, ...]]:
        """Nothing, everything, and `n` others drawn with `seed`."""
        rng = random.Random(seed)
        highest = [(1 << len(port)) - 1 for port in self.inputs]
        drawn = [tuple(rng.randint(0, high) for high in highest) for _ in range(n)]
        return [tuple(0 for _ in highest), tuple(highest), *drawn]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("compared", [False, True])
@pytest.mark.parametrize("n_lanes", [1, 2, 3])
def test_a_leaf_counts_matches_for_all_inputs(
    form: Ice40Counting, compared: bool, n_lanes: int
) -> None:
    bench = Bench()
    leaf = [bench.lane(compared=compared) for _ in range(n_lanes)]
    (count,) = form.leaves(bench.m, [leaf])
    vectors = bench.all_vectors()
    expected = [
        sum(vector) if compared else sum(map(eq, vector[::2], vector[1::2])) for vector in vectors
    ]
    assert bench.results([count], vectors) == [(total,) for total in expected]
    assert len(count) == n_lanes.bit_length()


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 2, True, 3)],
        [(2, 2, True, 3)] * 4,
        [(2, 2, True, 3), (2, 1, True, 3), (3, 3, False, 4), (2, 0, True, 3)],
        [(3, 2, True, 3), (1, 1, True, 2), (2, 2, False, 3)],
        [(18, 3, True, 18), (2, 2, True, 3)],
        [(4, 4, False, 5), (2, 3, False, 4)],
    ],
    ids=str,
)
def test_sums_of_a_level_equal_arithmetic(
    form: Ice40Counting, shapes: list[tuple[int, int, bool, int]]
) -> None:
    bench, adders = Bench(), []
    for a_bits, b_bits, has_lane, _ in shapes:
        adders.append(
            Adder(
                bench.new(a_bits),
                bench.new(b_bits) if b_bits else None,
                bench.lane(compared=True) if has_lane else None,
            )
        )
    bits = [n_bits for *_, n_bits in shapes]
    totals = form.sums(bench.m, adders, bits)
    assert [len(total) for total in totals] == bits

    expected, vectors = [], []
    for vector in bench.vectors(300, seed=len(shapes)):
        values, sums = iter(vector), []
        for _, b_bits, has_lane, _ in shapes:
            sums.append(next(values) + (next(values) if b_bits else 0) + (next(values) if has_lane else 0))  # fmt: skip
        # A sum is never asked for more than its bits hold.
        if all(total < 1 << n_bits for total, n_bits in zip(sums, bits, strict=True)):
            vectors.append(vector)
            expected.append(tuple(sums))
    assert len(vectors) > 10
    assert bench.results(totals, vectors) == expected


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_sums_of_a_level_do_not_touch_each_other(form: Ice40Counting) -> None:
    bench = Bench()
    adders = [Adder(bench.new(2), bench.new(2), bench.lane(compared=True)) for _ in range(2)]
    vectors = bench.all_vectors()
    expected = [(sum(vector[:3]), sum(vector[3:])) for vector in vectors]
    assert bench.results(form.sums(bench.m, adders, [3, 3]), vectors) == expected


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("start", [0, 45])
@pytest.mark.parametrize("has_lane", [False, True])
def test_the_accumulator_adds_to_itself_or_starts(
    form: Ice40Counting, start: int, has_lane: bool
) -> None:
    bench = Bench()
    accumulator, count, is_first = bench.new(6), bench.new(3), bench.new(1)
    lane = bench.lane(compared=True) if has_lane else None
    total = form.accumulated(bench.m, accumulator, count, lane, C(start, 6), is_first)
    vectors = bench.all_vectors()
    expected = [
        (((start if first else old) + new + sum(more)) % 64,) for old, new, first, *more in vectors
    ]
    assert bench.results([total], vectors) == expected
    assert len(total) == 6


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_an_owing_accumulator_leaves_out_the_lane_with_which_it_starts(form: Ice40Counting) -> None:
    bench = Bench()
    accumulator, count, is_first = bench.new(6), bench.new(3), bench.new(1)
    lane = bench.lane(compared=True)
    total = form.accumulated_owing(bench.m, accumulator, count, lane, is_first)
    vectors = bench.all_vectors()
    expected = [(new if first else (old + new + match) % 64,) for old, new, first, match in vectors]
    assert bench.results([total], vectors) == expected


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_result_may_take_the_lane_that_is_owed(form: Ice40Counting) -> None:
    bench = Bench()
    total = form.result(bench.m, bench.new(5), bench.new(5), bench.lane(compared=True))
    vectors = bench.all_vectors()
    assert bench.results([total], vectors) == [(sum(vector) % 32,) for vector in vectors]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_result_is_the_accumulator_and_the_preset(form: Ice40Counting) -> None:
    bench = Bench()
    total = form.result(bench.m, bench.new(5), bench.new(5))
    vectors = bench.all_vectors()
    assert bench.results([total], vectors) == [((a + b) % 32,) for a, b in vectors]


def cells(build: Callable[[Bench, Ice40Counting], Sequence[Value]], folder: Path) -> dict[str, int]:
    """LUT4 and carries of what `build` returns, with a register behind each bit, carry lanes on."""
    bench = Bench()
    ports = list(build(bench, Ice40Counting(carry_lanes=True)))
    registers = [Signal(len(port), name=f"o{k}", reset_less=True) for k, port in enumerate(ports)]
    bench.m.d.sync += [register.eq(port) for register, port in zip(registers, ports, strict=True)]
    use_in_amaranth()
    text = verilog.convert(bench.m, name="top", ports=[*bench.inputs, *registers])
    (folder / "top.v").write_text(text)
    script = "read_verilog top.v; synth_ice40 -device u -top top; tee -q -o stat.json stat -json"
    subprocess.run(
        [find_tool("yosys").path, "-q", "-p", script], cwd=folder, check=True, timeout=120
    )
    found = json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]
    return {kind: found.get(kind, 0) for kind in ("SB_LUT4", "SB_CARRY")}


@pytest.mark.synth
def test_leaves_of_one_two_and_three_lanes_cost_one_two_and_four_luts(tmp_path: Path) -> None:
    def leaves(bench: Bench, form: Ice40Counting) -> list[Value]:
        groups = [[bench.lane(compared=False) for _ in range(n)] for n in (1, 2, 3)]
        return form.leaves(bench.m, groups)

    assert cells(leaves, tmp_path) == {"SB_LUT4": 1 + 2 + 4, "SB_CARRY": 0}


@pytest.mark.synth
@pytest.mark.parametrize(("bits", "n_sums"), [(3, 4), (5, 1)])
def test_sums_with_a_lane_cost_one_lut_a_bit(bits: int, n_sums: int, tmp_path: Path) -> None:
    def level(bench: Bench, form: Ice40Counting) -> list[Value]:
        adders = [
            Adder(bench.new(bits - 1), bench.new(bits - 1), bench.lane(compared=True))
            for _ in range(n_sums)
        ]
        return form.sums(bench.m, adders, [bits] * n_sums)

    # All but the top bit have a carry beside their LUT; the lane comes in from outside, through a cell that placement adds.
    assert cells(level, tmp_path) == {"SB_LUT4": n_sums * bits, "SB_CARRY": n_sums * (bits - 1)}


@pytest.mark.synth
def test_an_accumulator_and_its_sign_cost_what_is_stated(tmp_path: Path) -> None:
    def accumulator(bench: Bench, form: Ice40Counting) -> list[Value]:
        old, count, is_first = bench.new(10), bench.new(5), bench.new(1)
        lane = bench.lane(compared=True)
        return [form.accumulated_owing(bench.m, old, count, lane, is_first)]

    def sign(bench: Bench, form: Ice40Counting) -> list[Value]:
        return [form.result(bench.m, bench.new(10), bench.new(10))[-1]]

    assert cells(accumulator, tmp_path) == {"SB_LUT4": 10, "SB_CARRY": 9}
    assert cells(sign, tmp_path) == {"SB_LUT4": 1, "SB_CARRY": 9}
