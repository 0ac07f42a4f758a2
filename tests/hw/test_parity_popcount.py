"""`rbonn.hw.parity_popcount` and `parity_coder`: the count of matches, its latency, and the coding of both sides."""

import json
import random
import subprocess
from pathlib import Path

import pytest
from amaranth.back import verilog
from amaranth.sim import Simulator
from rbonn.hw.parity_coder import ParityCoder
from rbonn.hw.parity_popcount import ParityPopcountConfig
from rbonn.hw.popcount import PopcountConfig
from rbonn.sw.build.toolchain import find_tool, use_in_amaranth

FORMS = ["portable", "ice40", "ice40_carry_lanes"]


def matches(activations: int, weights: int, simd: int) -> int:
    return simd - (activations ^ weights).bit_count()


def beats(simd: int, n: int) -> list[tuple[int, int]]:
    """Activations and weights: all equal, all different, and `n` drawn."""
    rng, ones = random.Random(simd), (1 << simd) - 1
    drawn = [(rng.getrandbits(simd), rng.getrandbits(simd)) for _ in range(n)]
    return [(0, 0), (ones, ones), (0, ones), (ones, 0), *drawn]


def counts(config: ParityPopcountConfig, items: list[tuple[int, int]]) -> list[int]:
    """The count of each of `items`, which are coded here, with pauses in between; taken after the stated latency."""
    dut, found = config.component(), []
    rng = random.Random(config.simd)

    async def bench(ctx) -> None:
        for activations, weights in [*items, *[(0, 0)] * config.latency_cycles]:
            while rng.random() < 0.2:
                ctx.set(dut.enable, 0)
                ctx.set(dut.activations, rng.getrandbits(config.simd))
                await ctx.tick()
            ctx.set(dut.enable, 1)
            ctx.set(dut.activations, config.coded_activations(activations))
            ctx.set(dut.weights, config.coded_weights(weights))
            await ctx.tick()
            late = ctx.get(dut.late_activation) == ctx.get(dut.late_weight)
            found.append(ctx.get(dut.o) + late)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found[config.latency_cycles - 1 :][: len(items)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("simd", [1, 2, 3, 4, 5, 8, 9, 16, 17, 25, 32, 33, 64])
def test_it_counts_the_matches_after_its_latency(simd: int, form: str) -> None:
    config = ParityPopcountConfig(simd, form)
    items = beats(simd, 40)
    assert counts(config, items) == [matches(*item, simd) for item in items]
    assert 1 << config.output_bits > config.most - config.has_late_lane


@pytest.mark.parametrize("form", FORMS)
def test_it_counts_all_inputs_of_five_lanes(form: str) -> None:
    items = [(activations, weights) for activations in range(32) for weights in range(32)]
    expected = [matches(*item, 5) for item in items]
    assert counts(ParityPopcountConfig(5, form), items) == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("simd", [1, 6, 16, 33])
def test_coding_loses_nothing(simd: int, form: str) -> None:
    config = ParityPopcountConfig(simd, form)
    rng = random.Random(simd)
    for code in (config.coded_activations, config.coded_weights):
        words = {rng.getrandbits(simd) for _ in range(200)}
        assert len({code(word) for word in words}) == len(words)
        assert all(code(word) < 1 << simd for word in words)


@pytest.mark.parametrize("form", ["ice40", "ice40_carry_lanes"])
@pytest.mark.parametrize("simd", [1, 2, 3, 4, 5, 16, 21, 32, 64, 70])
def test_the_coder_codes_the_beat_of_the_last_enabled_cycle(simd: int, form: str) -> None:
    config = ParityPopcountConfig(simd, form)
    dut, rng = ParityCoder(config), random.Random(simd)
    words = [0, (1 << simd) - 1, *(rng.getrandbits(simd) for _ in range(30))]
    found = []

    async def bench(ctx) -> None:
        for word in words:
            ctx.set(dut.enable, 1)
            ctx.set(dut.i, word)
            await ctx.tick()
            ctx.set(dut.enable, 0)
            for _ in range(rng.randint(0, 2)):
                ctx.set(dut.i, rng.getrandbits(simd))
                await ctx.tick()
            found.append(ctx.get(dut.o))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == [config.coded_activations(word) for word in words]


def test_it_rejects_what_a_popcount_rejects() -> None:
    with pytest.raises(ValueError, match="SIMD must be at least 1, not 0"):
        ParityPopcountConfig(0)
    with pytest.raises(ValueError, match=r"Form must be one of .*, not 'abacus'"):
        ParityPopcountConfig(4, "abacus")


def luts(config: ParityPopcountConfig | PopcountConfig, folder: Path) -> int:
    use_in_amaranth()
    text = verilog.convert(config.component(), name="top")
    (folder / "top.v").write_text(text)
    script = "read_verilog top.v; synth_ice40 -device u -top top; tee -q -o stat.json stat -json"
    yosys = find_tool("yosys").path
    subprocess.run([yosys, "-q", "-p", script], cwd=folder, check=True, timeout=120)
    cells = json.loads((folder / "stat.json").read_text())
    return cells["design"]["num_cells_by_type"]["SB_LUT4"]


@pytest.mark.synth
def test_32_lanes_cost_two_luts_for_three_of_the_plain_tree(tmp_path: Path) -> None:
    # One for each lane, and the sum of 15 bits: two for each of four leaves, then 3 + 3 + 4.
    assert luts(ParityPopcountConfig(32, "ice40_carry_lanes"), tmp_path) == 32 + 8 + 10
    assert luts(PopcountConfig(32, "ice40_carry_lanes"), tmp_path) == 65
