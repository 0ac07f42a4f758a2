"""`rbonn.sw.plan`: foldings, the planner, plan files, and what follows from a plan."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rbonn.boards import ICEBREAKER, ULX3S_25F
from rbonn.boards.board import Capacity
from rbonn.sw.build.device_forms import device_forms
from rbonn.sw.build.elaborate import elaborate
from rbonn.sw.errors import DoesNotFitError, PlanError
from rbonn.sw.network import ArgMax, Conv, Dense, EdgeType, Int, Network, UInt
from rbonn.sw.plan import choice_model, search
from rbonn.sw.plan.amounts import amounts
from rbonn.sw.plan.costs import LINK, block_rams, stage_cost
from rbonn.sw.plan.folding import Folding, divisors, foldings, window_lanes
from rbonn.sw.plan.options import DEEPEST_LOGIC_PRESETS, layer_options
from rbonn.sw.plan.plan import load_plan, save_plan
from rbonn.sw.plan.planner import cycles_for, find_plan, make_plan, total_cost
from rbonn.sw.plan.proof import Proof
from rbonn.sw.plan.resources import Resources, placed
from rbonn.sw.plan.summary import summarise
from rbonn.sw.project import Project

from ...random_networks import ConvShape, networks, random_network

NETWORK = random_network(
    (12, 12, 1),
    [ConvShape(8, padding=1, pool=2), ConvShape(16, padding=1, pad_value=0, pool=2)],
    n_classes=10,
)


def test_divisors_rise_and_divide() -> None:
    assert divisors(12) == [1, 2, 3, 4, 6, 12]


def test_foldings_divide_the_matrix_and_fit_the_channels() -> None:
    conv = NETWORK.nodes[4]
    assert isinstance(conv, Conv)
    mh, mw = conv.matrix.shape
    assert (mh, mw) == (16, 72)
    options = list(foldings(conv))
    assert len(options) == len(set(options))
    for pe, simd in options:
        assert mh % pe == 0
        assert mw % simd == 0
        assert 8 % simd == 0 or simd % 8 == 0
    assert {simd for _, simd in options} == {1, 2, 4, 8, 24, 72}
    assert [window_lanes(conv, simd) for simd in (2, 8, 24, 9)] == [2, 8, 8, 8]


@pytest.mark.parametrize(
    ("width", "depth", "family", "count"),
    [
        (16, 256, "ice40", 1),
        (17, 256, "ice40", 2),
        (16, 257, "ice40", 2),
        (8, 512, "ice40", 1),
        (2, 2048, "ice40", 1),
        (128, 144, "ice40", 8),
        (36, 512, "ecp5", 1),
        (37, 512, "ecp5", 2),
        (18, 1024, "ecp5", 1),
    ],
)
def test_block_rams_are_counted_in_the_best_shape(
    width: int, depth: int, family: str, count: int
) -> None:
    assert block_rams(width, depth, family) == count


def test_the_plan_fits_the_board_by_its_own_estimate_and_a_larger_board_is_no_slower() -> None:
    plan = make_plan(NETWORK, ICEBREAKER)
    total = total_cost(NETWORK, plan.foldings, ICEBREAKER)
    assert total.lut4 <= ICEBREAKER.capacity.lut4_budgets[-1]
    assert total.block_rams <= ICEBREAKER.capacity.block_rams
    on_larger = make_plan(NETWORK, ULX3S_25F)
    interval = summarise(NETWORK, plan, ICEBREAKER).initiation_interval_cycles
    assert summarise(NETWORK, on_larger, ULX3S_25F).initiation_interval_cycles <= interval


def test_a_frame_rate_is_reached_with_less_than_the_fastest_plan_takes() -> None:
    fastest = make_plan(NETWORK, ICEBREAKER)
    plan = make_plan(NETWORK, ICEBREAKER, frames_per_second=500)
    summary = summarise(NETWORK, plan, ICEBREAKER)
    assert summary.frames_per_second >= 500
    assert summary.totals.lut4 < total_cost(NETWORK, fastest.foldings, ICEBREAKER).lut4


def test_a_frame_rate_out_of_reach_names_the_best() -> None:
    with pytest.raises(PlanError, match=r"reaches at most [0-9]+ frames per second at 36 MHz"):
        make_plan(NETWORK, ICEBREAKER, frames_per_second=1e7)


def test_a_frame_rate_out_of_reach_says_what_runs_short_and_what_the_board_reaches() -> None:
    few = replace(ICEBREAKER, capacity=replace(ICEBREAKER.capacity, plan_lut4=(1_600,)))
    best = summarise(NETWORK, make_plan(NETWORK, few), few).frames_per_second
    message = (
        f"at most {int(best)} frames per second at 36 MHz on icebreaker, not {1.1 * best:g}: "
        "logic cells: about [0-9]+ needed, 1600 usable of 5280"
    )
    with pytest.raises(PlanError, match=message):
        make_plan(NETWORK, few, frames_per_second=1.1 * best)
    with pytest.raises(PlanError, match=r"not 1e\+07: layer conv1 takes [0-9]+ cycles a frame"):
        make_plan(NETWORK, ICEBREAKER, frames_per_second=1e7)


def test_a_frame_rate_of_0_gives_the_smallest_plan() -> None:
    plans = [make_plan(NETWORK, ICEBREAKER, frames_per_second=rate) for rate in (0, 0.1)]
    assert plans[0] == plans[1]
    with pytest.raises(PlanError, match="must be a number of at least 0, not nan"):
        make_plan(NETWORK, ICEBREAKER, frames_per_second=float("nan"))


@pytest.mark.parametrize("clock_hz", [36_000_000, 75_000_000])
def test_the_interval_for_a_frame_rate_is_the_longest_that_reaches_it(clock_hz: int) -> None:
    for cycles in (1, 7, 98, 784, 13_068, 73_728):
        assert cycles_for(clock_hz / cycles, clock_hz) == cycles
        assert cycles_for(clock_hz / cycles * 1.0001, clock_hz) == cycles - 1 or cycles > 5000
    assert cycles_for(2 * clock_hz, clock_hz) == 0


def test_what_is_proved_of_a_plan_is_that_nothing_is_faster_or_cheaper() -> None:
    finding = find_plan(NETWORK, ULX3S_25F)
    assert finding.interval_cycles == finding.least_interval_cycles
    assert finding.price == finding.least_price
    assert finding.plan == make_plan(NETWORK, ULX3S_25F)


def test_deep_weights_are_in_logic_where_block_ram_does_not_suffice_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = random_network((28, 28, 1), [], [64])
    few = replace(ULX3S_25F, capacity=replace(ULX3S_25F.capacity, block_rams=4))
    cheap = dict(search.all_options(network, ULX3S_25F))
    cheap["dense1"] = [  # the solver is told that they take next to nothing
        replace(option, cost=Resources(lut4=1)) if option.is_deep_logic else option
        for option in cheap["dense1"]
        if option.is_deep_logic or option.folding.weights == "block"
    ]
    monkeypatch.setattr(search, "all_options", lambda *_: cheap)
    deep = {option.folding for option in cheap["dense1"] if option.is_deep_logic}
    assert {fold.weights for fold in deep} == {"logic"}
    assert find_plan(network, ULX3S_25F).plan.foldings["dense1"] not in deep
    assert find_plan(network, few).plan.foldings["dense1"] in deep


def test_without_time_for_the_solver_a_plan_says_how_far_from_the_best_it_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cells(**options: float) -> int:
        found = find_plan(NETWORK, ULX3S_25F, **options)
        return amounts(total_cost(NETWORK, found.plan.foldings, ULX3S_25F))[0]

    least, most = cells(frames_per_second=0), cells()
    boards = [
        replace(ULX3S_25F, capacity=replace(ULX3S_25F.capacity, plan_lut4=(lut4,)))
        for lut4 in range(least + 50, most, (most - least) // 8)
    ]
    best = [find_plan(NETWORK, board).interval_cycles for board in boards]
    monkeypatch.setattr(choice_model, "SOLVER_TIME", 1e-9)
    left_open = 0
    for board, fastest in zip(boards, best, strict=True):
        found = find_plan(NETWORK, board)
        proof = found.plan.proof
        assert proof is not None
        assert (proof.reached, proof.bound) == (found.interval_cycles, found.least_interval_cycles)
        assert proof.bound <= fastest <= proof.reached
        if not proof.is_optimal:
            left_open += 1
            bound = re.escape(f"(bound {proof.bound} cycles)")
            assert re.fullmatch(rf"at most \d+\.\d % from the best {bound}", proof.text())
    assert left_open


def test_without_time_no_bound_of_lookup_tables_is_above_the_fewest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def proofs() -> list[Proof | None]:
        rates = (0, 2_000, 20_000, 100_000)
        return [find_plan(NETWORK, ULX3S_25F, frames_per_second=rate).plan.proof for rate in rates]

    proved = proofs()
    monkeypatch.setattr(choice_model, "SOLVER_TIME", 1e-9)
    missed = 0
    for best, proof in zip(proved, proofs(), strict=True):
        assert best is not None
        assert proof is not None
        assert best.goal == proof.goal == "LUT4"
        assert best.is_optimal
        assert proof.bound <= best.reached <= proof.reached
        missed += proof.reached > best.reached
    assert missed


def test_the_fewest_lookup_tables_of_a_frame_rate_are_proved_too() -> None:
    finding = find_plan(NETWORK, ICEBREAKER, frames_per_second=500)
    total = total_cost(NETWORK, finding.plan.foldings, ICEBREAKER)
    assert finding.plan.proof == Proof("logic cells", amounts(total)[0], amounts(total)[0])


def test_a_proof_is_told_only_of_the_plan_that_it_is_of() -> None:
    plan = make_plan(NETWORK, ICEBREAKER)
    assert plan.proof is not None
    assert summarise(NETWORK, plan, ICEBREAKER).proof == plan.proof
    slower = replace(plan, foldings=plan.foldings | {"conv1": Folding(1, 1)})
    assert summarise(NETWORK, slower, ICEBREAKER).proof is None
    smallest = make_plan(NETWORK, ICEBREAKER, frames_per_second=500)
    larger = replace(smallest, foldings=plan.foldings)
    assert summarise(NETWORK, larger, ICEBREAKER).proof is None


def test_a_proof_is_no_part_of_the_design() -> None:
    plan = make_plan(NETWORK, ICEBREAKER)
    infos = [Project(NETWORK, ICEBREAKER, p).info for p in (plan, replace(plan, proof=None))]
    assert infos[0] == infos[1]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.sampled_from([1e3, 3e5, 1e6, 3e6]))
def test_a_frame_rate_is_reached_or_refused(network: Network, frames_per_second: float) -> None:
    try:
        plan = make_plan(network, ULX3S_25F, frames_per_second=frames_per_second)
    except PlanError:
        best = make_plan(network, ULX3S_25F)
        reached = summarise(network, best, ULX3S_25F).frames_per_second
        assert reached < frames_per_second
    else:
        assert summarise(network, plan, ULX3S_25F).frames_per_second >= frames_per_second


def test_what_takes_pixels_one_by_one_limits_the_frame_rate() -> None:
    network = random_network((28, 28, 1), [], [16], entrance="thermometer")
    with pytest.raises(PlanError, match="reaches at most 45918 frames per second at 36 MHz"):
        make_plan(network, ICEBREAKER, frames_per_second=48_000)
    plan = make_plan(network, ULX3S_25F)
    assert summarise(network, plan, ULX3S_25F).initiation_interval_cycles == 784
    assert plan.foldings["dense1"].pe * plan.foldings["dense1"].simd <= 128


@pytest.mark.parametrize(
    ("capacity", "message"),
    [
        (
            Capacity(lut4=700, block_rams=30, block_ram_bits=4096),
            "logic cells: about [0-9]+ needed, 560 usable of 700",
        ),
        (
            Capacity(lut4=5280, block_rams=4, block_ram_bits=4096),
            "block RAMs: [0-9]+ needed, 4 available",
        ),
    ],
)
def test_what_does_not_fit_is_named(capacity: Capacity, message: str) -> None:
    with pytest.raises(DoesNotFitError, match=message):
        make_plan(NETWORK, replace(ICEBREAKER, capacity=capacity))


def test_multipliers_that_do_not_suffice_are_named() -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(-128, 128, (3, 48)).astype(np.int8)
    head = Dense("head", ("image",), weights, Int(8))
    nodes = (head, ArgMax("label", ("head",)))
    pixels = EdgeType(UInt(8), (4, 4, 3))
    network = Network("int8", pixels, nodes, 0, "head", ("a", "b", "c"))
    without = replace(ULX3S_25F, capacity=replace(ULX3S_25F.capacity, dsp=0))
    with pytest.raises(DoesNotFitError, match="DSP blocks: 1 needed, 0 available"):
        make_plan(network, without)
    few = replace(ULX3S_25F, capacity=replace(ULX3S_25F.capacity, dsp=3))
    plan = make_plan(network, few)
    assert plan.foldings["head"].pe * plan.foldings["head"].simd == 3
    assert total_cost(network, plan.foldings, few).dsp == 3
    one = replace(ULX3S_25F, capacity=replace(ULX3S_25F.capacity, dsp=1))
    assert make_plan(network, one).foldings["head"].pe == 1


def test_no_option_of_a_layer_is_beaten_in_everything_by_another_of_its_widths() -> None:
    node = [node for node in NETWORK.device_nodes if isinstance(node, Conv)][-1]
    options = layer_options(NETWORK, node, ULX3S_25F)
    assert len(options) > 3
    for one in options:
        for other in options:
            if (one.folding.pe, one.input_lanes) == (other.folding.pe, other.input_lanes):
                wants = [(o.cycles, *amounts(o.cost)) for o in (one, other)]
                assert one is other or any(a < b for a, b in zip(*wants, strict=True))


def test_a_second_budget_of_lookup_tables_is_for_what_the_first_does_not_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = random_network((28, 28, 1), [], [64])
    free = make_plan(network, ULX3S_25F)
    rate = summarise(network, free, ULX3S_25F).frames_per_second
    small = total_cost(network, free.foldings, ULX3S_25F).lut4 * 2 // 3
    two = replace(ULX3S_25F, capacity=replace(ULX3S_25F.capacity, plan_lut4=(small, 20_000)))
    fast = make_plan(network, two)
    assert summarise(network, fast, two).frames_per_second == rate
    assert small < total_cost(network, fast.foldings, two).lut4 <= 20_000
    monkeypatch.setattr(search, "WORTH_MORE", 100)
    slow = make_plan(network, two)
    assert total_cost(network, slow.foldings, two).lut4 <= small
    assert rate / 100 < summarise(network, slow, two).frames_per_second <= rate / 1.5
    smallest = make_plan(network, two, frames_per_second=rate)
    assert summarise(network, smallest, two).frames_per_second == rate
    luts = [total_cost(network, plan.foldings, two).lut4 for plan in (smallest, fast)]
    assert small < luts[0] <= luts[1]


def test_presets_lie_where_their_table_takes_the_smaller_share() -> None:
    short, long = (
        {option.folding.presets for option in layer_options(network, network.nodes[1], ICEBREAKER)}
        for network in (
            random_network((1, 1, 4), [], [4]),
            random_network((1, 1, 4), [], [2048]),
        )
    )
    assert short == {"logic"}
    assert "block" in long


def test_presets_of_an_ecp5_that_would_be_deep_logic_lie_in_block_ram() -> None:
    """Their table is small: of 8 bits a word."""
    network = random_network((1, 1, 4), [], [256])
    options = layer_options(network, network.nodes[1], ULX3S_25F)
    words = {256 // option.folding.pe: option.folding.presets for option in options}
    assert max(words) > DEEPEST_LOGIC_PRESETS > min(words)
    for n_words, presets in words.items():
        assert presets == ("block" if n_words > DEEPEST_LOGIC_PRESETS else "logic")


def test_the_summary_adds_up() -> None:
    plan = make_plan(NETWORK, ICEBREAKER)
    summary = summarise(NETWORK, plan, ICEBREAKER)
    config = elaborate(NETWORK, plan.foldings, device_forms(ICEBREAKER)).config
    assert summary.initiation_interval_cycles == max(
        layer.cycles_per_frame for layer in summary.layers
    )
    assert summary.frames_per_second == plan.clock_hz / summary.initiation_interval_cycles
    assert sum(layer.lut4 for layer in summary.layers) == summary.totals.lut4
    assert sum(layer.block_rams for layer in summary.layers) == summary.totals.block_rams
    assert summary.totals == sum(
        (stage_cost(stage.config, "ice40") for stage in config.stages), start=LINK
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_every_small_network_can_be_planned(network: Network) -> None:
    plan = make_plan(network, ULX3S_25F)
    plan.check(network, ULX3S_25F)
    assert set(plan.foldings) == {
        node.name for node in network.nodes if isinstance(node, Conv | Dense)
    }


def test_a_plan_survives_its_file(tmp_path) -> None:
    plan = make_plan(NETWORK, ICEBREAKER)
    save_plan(plan, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == plan
    assert json.loads((tmp_path / "plan.json").read_text())["kind"] == "dataflow"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.update(schema=2), "not a plan: schema"),
        (lambda p: p.update(speed=3), "not a plan: speed"),
        (lambda p: p["foldings"]["conv1"].update(pe="two"), "not a plan: foldings.conv1.pe"),
        (lambda p: p.pop("board"), "not a plan: board"),
    ],
)
def test_a_damaged_plan_file_is_refused(tmp_path, change, message: str) -> None:
    path = tmp_path / "plan.json"
    save_plan(make_plan(NETWORK, ICEBREAKER), path)
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(PlanError, match=message):
        load_plan(path)


def test_a_plan_for_something_else_is_refused() -> None:
    plan = make_plan(NETWORK, ICEBREAKER)
    other = replace(NETWORK, nodes=(replace(NETWORK.nodes[0], threshold=7), *NETWORK.nodes[1:]))
    with pytest.raises(PlanError, match=r"The plan is for network random [0-9a-f]{12}, not"):
        plan.check(other, ICEBREAKER)
    with pytest.raises(PlanError, match="The plan is for board icebreaker, not ulx3s-25f"):
        plan.check(NETWORK, ULX3S_25F)
    folding = plan.foldings | {"conv1": Folding(3, 9)}
    with pytest.raises(PlanError, match="Layer conv1: PE must divide 8, not 3"):
        replace(plan, foldings=folding).check(NETWORK, ICEBREAKER)


def test_dense_layers_are_folded_by_any_divisor() -> None:
    weights = np.ones((4, 6), np.int8)
    node = Dense("dense", ("x",), weights, NETWORK.nodes[1].weight_type)
    assert set(foldings(node)) == {(pe, simd) for pe in (1, 2, 4) for simd in (1, 2, 3, 6)}


def test_weight_forms_that_the_device_lacks_or_the_fold_does_not_allow_are_refused() -> None:
    plan = make_plan(NETWORK, ICEBREAKER)
    node = next(node for node in NETWORK.device_nodes if isinstance(node, Dense))
    words = node.matrix.size
    deep = {**plan.foldings, node.name: Folding(1, 1, "logic")}
    with pytest.raises(
        PlanError, match=f"icebreaker has no weights in the form 'logic' for a fold of {words}"
    ) as caught:
        replace(plan, foldings=deep).check(NETWORK, ICEBREAKER)
    assert "logic" not in caught.value.hint
    absorbed = {**plan.foldings, node.name: Folding(1, 1, "absorbed")}
    with pytest.raises(PlanError, match=f"'absorbed' for a fold of {words}") as caught:
        replace(plan, foldings=absorbed).check(NETWORK, ICEBREAKER)
    assert "absorbed" not in caught.value.hint
    wide = {**plan.foldings, node.name: Folding(*node.matrix.shape, "absorbed")}
    replace(plan, foldings=wide).check(NETWORK, ICEBREAKER)


@pytest.mark.parametrize(
    ("estimated", "cells"),
    # Estimates and the logic cells that nextpnr took: two plans each of a CIFAR-10 and an MNIST network, and a dense one.
    [
        (Resources(lut4=3049, ff=3278, carries=511), 4678),
        (Resources(lut4=2560, ff=2451, carries=142), 3887),
        (Resources(lut4=3480, ff=3036), 4963),
        (Resources(lut4=2177, ff=1762), 2991),
        (Resources(lut4=1984, ff=1688), 2762),
    ],
)
def test_an_ice40s_logic_cells_are_more_than_its_lookup_tables(
    estimated: Resources, cells: int
) -> None:
    total = placed(estimated, "ice40")
    assert total.lut4 + total.carries == pytest.approx(cells, rel=0.05)
    assert placed(estimated, "ecp5") == estimated
