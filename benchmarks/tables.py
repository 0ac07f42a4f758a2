"""Writes the tables of docs/results.md, docs/boards.md and the README from the result files and the boards, in place.

    python benchmarks/tables.py

Tables stand between comments that name them; their two head lines are kept. `tests/test_results.py` fails where the document and the
files differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rbonn.boards import BOARDS, Board
from rbonn.boards.pll import Ice40PllSetting
from rbonn.sw.models import model_summary

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = (ROOT / "docs" / "results.md", ROOT / "docs" / "boards.md", ROOT / "README.md")


def rows() -> dict[str, list[str]]:
    """Lines of each table by its mark."""
    light = json.loads((RESULTS / "first_light.json").read_text())["results"]
    light_before = json.loads((RESULTS / "first_light_before.json").read_text())["results"]
    array = json.loads((RESULTS / "pe_array.json").read_text())
    golden = json.loads((RESULTS / "golden_model.json").read_text())["results"]
    steps = json.loads((RESULTS / "training_step.json").read_text())["results"]
    operands = json.loads((RESULTS / "operands.json").read_text())["rows"]
    ablation = json.loads((RESULTS / "rbonn_ablation.json").read_text())
    cifar10 = json.loads((RESULTS / "cifar10_networks.json").read_text())["results"]
    plans = json.loads((RESULTS / "planner.json").read_text())["results"]
    calibrated = json.loads((RESULTS / "calibration_errors.json").read_text())
    costs = calibrated["held_out"]
    imagenet = json.loads((RESULTS / "planner_imagenet.json").read_text())["results"]
    cycles = json.loads((RESULTS / "random_cycles.json").read_text())
    planted = json.loads((RESULTS / "mutants.json").read_text())["faults"]
    fuzzed = json.loads((RESULTS / "fuzz.json").read_text())
    verified = json.loads((RESULTS / "verify.json").read_text())
    built = json.loads((RESULTS / "boards.json").read_text())["results"] + [
        {**result["build"], **result, "clock_asked_mhz": result["build"]["clock_mhz"]}
        for result in light
    ]
    highest = json.loads((RESULTS / "highest_clock.json").read_text())["results"]
    return {
        "boards": [_board(board) for board in BOARDS.values()],
        "boards_programming": [_programming(board) for board in BOARDS.values()],
        "boards_tried": [_tried(board, built) for board in BOARDS.values()],
        "boards_short": [_board_short(board, built) for board in BOARDS.values()],
        "highest_clocks": [_highest_clock(row) for row in highest],
        "plans": [_plans(result) for result in plans],
        "random_cycles": _random_cycles(cycles),
        "fuzz": _fuzz(fuzzed),
        "mutants": [_mutant(fault) for fault in planted],
        "imagenet_plans": [_imagenet(result) for result in imagenet],
        "cifar10": [_cifar10(result) for result in cifar10],
        "cifar10_runs": [_cifar10_run(result) for result in cifar10],
        "networks": [_network(result) for result in light],
        "accelerators": [_accelerator(result) for result in light],
        "times": [_times(result) for result in light],
        "rebuilt": [
            line
            for after in light
            for before in light_before
            if (before["network"], before["board"]) == (after["network"], after["board"])
            for line in _rebuilt(before, after)
        ],
        "array": [_array(name, row) for name, row in array["rows"].items()],
        "array_bars": [
            _row(
                row["device"],
                row["lut_equivalents"],
                row["logic_cells"],
                f"{row['slowest_mhz']:.1f}",
                f"{row['times_reference']:.1f} x",
            )
            for name, row in array["rows"].items()
            if name == f"8x32 complete, {row['device']}"
        ],
        "array_before": [_array(name, row) for name, row in array["before"]["rows"].items()],
        "costs": [
            _costs(what, row) for what, row in (("all", costs["all"]), *costs["families"].items())
        ],
        "cost_blocks": [_cost_block(row) for row in costs["blocks"]],
        "cost_networks": [_cost_network(row) for row in calibrated["networks"]],
        "simulated_cores": [
            _simulated_core(row) for name, row in verified.items() if name != "bitstream"
        ],
        "simulated_bitstream": [_simulated_bitstream(verified["bitstream"])],
        "golden": [
            _row(
                f"`{result['network']}`",
                result["scores_images_per_second"],
                result["every_edge_images_per_second"],
            )
            for result in golden
        ],
        "training_step": [_step(result, key) for result in steps for key in _STEP_RATIOS],
        "operands": [_operands(name, row) for name, row in operands.items()],
        "ablation": [_mode(summary) for summary in ablation["summary"]],
        "ablation_modes": [_settings(mode) for mode in ablation["modes"]],
        "ablation_runs": [_run(run, ablation["epochs"]) for run in ablation["results"]],
    }


def updated(text: str) -> str:
    """A document with every marked table made anew."""
    for mark, lines in rows().items():
        begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->\n"
        if begin not in text:
            continue
        before, rest = text.split(begin)
        table, after = rest.split(end)
        head = table.splitlines()[:2]
        text = before + begin + "\n".join([*head, *lines]) + "\n" + end + after
    return text


def _name(result: dict[str, Any]) -> str:
    return f"`{result['network']}`, {result['board']}"


def _plans(result: dict[str, Any]) -> str:
    """A pair of `planner.py`: the fastest plan, the greedy ones, and the smallest that are as fast as these."""
    fastest = result["fastest"]
    if fastest is None:
        return _row(_name(result), "does not fit", *[""] * 5, result["seconds"])
    least = fastest["least_interval_cycles"]
    proved = "proved" if least == fastest["interval_cycles"] else f"none below {least} cycles"
    cells = [_name(result), f"{fastest['frames_per_second']:.0f}, {fastest['luts']}", proved]
    for name in ("greedy", "greedy_luts"):
        plan, smallest = result[name]["plan"], result[name].get("smallest")
        if plan is None:
            cells += ["does not fit", ""]
            continue
        rate, more = plan["frames_per_second"], smallest["luts"] / plan["luts"] - 1
        cells += [
            f"{rate:.0f}, {plan['luts']}",
            f"{fastest['frames_per_second'] / rate:.2f} x, {100 * more:+.1f} %",
        ]
    greedy = result["greedy"]
    return _row(
        *cells, f"{result['seconds']}, {greedy.get('smallest_seconds', '-')}, {greedy['seconds']}"
    )


def _random_cycles(result: dict[str, Any]) -> list[str]:
    """What was asked of random accelerators, of how many, and of how many it holds."""
    networks, fifos = result["networks"], result["fifos"]
    return [
        _row("every transfer of bytes and scores in the cycle that was played, every answer right", networks, result["equal"]),
        _row("the interval is that of the slowest stage", networks, result["interval_is_the_slowest_stages"]),
        _row("the first frame is held up nowhere, and its latency is the sum of the stages'", networks, result["latency_is_the_schedules"]),
        _row("residual: FIFOs of the least depths keep the interval of FIFOs without limit", result["networks_with_fifos"], result["sufficient"]),
        _row("one place less in one FIFO: slower, or nothing moves", fifos, result["one_less_is_slower_or_stands_still"]),
        _row("of the others, those of the shallowest depth that is built", fifos - result["one_less_is_slower_or_stands_still"], result["no_fifo_is_shallower"]),
    ]  # fmt: skip


def _fuzz(result: dict[str, Any]) -> list[str]:
    """How many random accelerators there were, of which kinds, and what was compared."""
    return [
        _row("all", result["networks"], result["equal"]),
        *(_row(trait, number, "") for trait, number in result["traits"].items()),
        _row("edges", result["edges"], ""),
        _row("values", result["elements"], ""),
        _row("cycles", result["cycles"], ""),
    ]


def _mutant(fault: dict[str, Any]) -> str:
    """A planted fault, and the test that found it, or why it is none."""
    before = " ".join(fault["before"].split()).replace("|", "\\|")
    after = fault["after"].replace("|", "\\|")
    found = f"`{fault['by'].partition('[')[0]}`" if "by" in fault else fault.get("proof", "no test")
    return _row(f"`{fault['path']}:{fault['line']}`", f"`{before}`", f"`{after}`", found)


def _imagenet(result: dict[str, Any]) -> str:
    """A case of `planner_imagenet.py`: the plan, or what is missing."""
    cells = [f"`{result['shortcut']}`", result["board"], f"{result['weight_bits'] / 1e6:.2f}"]
    if result["plan"] is None:
        missing = result["does_not_fit"].split(": ", 1)[1]
        return _row(*cells, "", "", "", f"does not fit: {missing}", result["seconds"])
    total = result["totals"]
    return _row(
        *cells,
        f"{result['interval_cycles']}, {result['frames_per_second']:.0f}",
        total["lut4"],
        f"{total['block_rams']}, {total['dsp']}",
        result["proof"],
        result["seconds"],
    )


def _cifar10(result: dict[str, Any]) -> str:
    """A case of `cifar10_networks.py`: the slowest of its seeds."""
    plan = result["plan"]
    if not result["builds"]:
        return _row(
            _name(plan), plan["weights"], plan["initiation_interval_cycles"],
            *["not finished"] * 5,
        )  # fmt: skip
    slowest = min(result["builds"], key=lambda build: build["fmax_mhz"])
    used, capacity = slowest["resources"], slowest["capacity"]
    return _row(
        _name(plan),
        plan["weights"],
        result["simulation"]["initiation_interval_cycles"],
        f"{used['lut4']} + {used['carry']}",
        f"{used['block_rams']} of {capacity['block_rams']}",
        used["dsp"],
        f"{slowest['fmax_mhz']:.1f} / {slowest['clock_mhz']:g} ({len(result['builds'])})",
        result["frames_per_second"],
    )


def _cifar10_run(result: dict[str, Any]) -> str:
    plan, run = result["plan"], result["simulation"]
    return _row(
        _name(plan),
        run["images"],
        f"{run['mismatches']} of {run['values_compared']}",
        run["boundaries_checked"],
        run["forms"],
        f"{run['initiation_interval_cycles']} = {run['computed_interval_cycles']}",
        f"{run['latency_cycles']} = {run['computed_latency_cycles']}",
        f"{run['seconds_with_compilation']:.0f}",
        f"{result['generation']['seconds']:.0f}, {result['generation']['peak_mib']}",
    )


def _network(result: dict[str, Any]) -> str:
    build = result["build"]
    return _row(
        f"`{result['network']}`",
        f"{100 * model_summary(result['network'])['accuracy_integer']:.2f} %",
        result["board"],
        build["resources"]["lut4"],
        _logic_cells(build),
        build["resources"]["block_rams"],
        f"{build['fmax_mhz']:.1f} / {build['clock_mhz']:.0f}",
        result["frames_per_second"],
    )


def _logic_cells(build: dict[str, Any]) -> str:
    return f"{build['resources']['logic_cells']:,} of {build['capacity']['lut4']:,}".replace(
        ",", " "
    )


def _accelerator(result: dict[str, Any]) -> str:
    build, simulation, plan = result["build"], result["simulation"], result["plan"]
    for key in ("initiation_interval_cycles", "latency_cycles"):
        assert simulation[key] == plan[key], f"{_name(result)}: {key} is not the planned one"
    resources = build["resources"]
    return _row(
        _name(result),
        resources["lut4"],
        _logic_cells(build),
        resources["ff"],
        f"{resources['block_rams']} of {build['capacity']['block_rams']}",
        build["fmax_mhz"],
        build["clock_mhz"],
        simulation["initiation_interval_cycles"],
        simulation["latency_cycles"],
        result["frames_per_second"],
    )


def _rebuilt(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One network on one board with the array as it was and as it is."""
    build = after["build"]
    lines = []
    for what, resources, fmax, clock, interval, rate in (
        ("before", before["resources"], before["fmax_mhz"], before["clock_mhz"],
         before["initiation_interval_cycles"], before["frames_per_second"]),
        ("now", build["resources"], build["fmax_mhz"], build["clock_mhz"],
         after["simulation"]["initiation_interval_cycles"], after["frames_per_second"]),
    ):  # fmt: skip
        lines.append(
            _row(
                _name(after),
                what,
                resources["lut4"],
                resources["logic_cells"],
                resources["ff"],
                resources["block_rams"],
                f"{fmax:.1f} / {clock:.0f}",
                interval,
                rate,
            )
        )
    return lines


def _array(name: str, row: dict[str, Any]) -> str:
    """A complete unit, or what else its name says."""
    cycles = row.get("cycles_per_vector")
    return _row(
        name,
        row["lut_equivalents"],
        f"{row['lut_equivalents_per_lane']:.2f}",
        row["logic_cells"],
        row["flip_flops"],
        row["block_rams"],
        f"{row['slowest_mhz']:.1f}" if row["slowest_mhz"] else "not routed",
        " / ".join(f"{mhz:.1f}" if mhz else "not routed" for mhz in row["mhz"]),
        f"{cycles} of {row['ideal_cycles_per_vector']}" if cycles else "",
        f"{row['times_reference']:.2f}" if row["times_reference"] else "",
    )


def _times(result: dict[str, Any]) -> str:
    simulation = result["simulation"]
    return _row(
        _name(result),
        simulation["images"],
        simulation["values_compared"],
        simulation["mismatches"],
        simulation["cycles_per_second"],
        result["generate_seconds"],
        result["build"]["seconds"],
    )


def _simulated_core(row: dict[str, Any]) -> str:
    return _row(
        _name(row),
        row["forms"],
        row["boundaries_checked"],
        row["values_compared"],
        row["cycles"],
        row["cycles_per_processor_second"],
        row["cycles_per_wall_second"],
        row["asked_cycles_per_second"],
    )


def _simulated_bitstream(row: dict[str, Any]) -> str:
    return _row(
        _name(row),
        row["images"],
        row["values_compared"],
        row["mismatches"],
        row["cycles"],
        row["processor_seconds"],
        row["wall_seconds"],
        row["asked_seconds"],
    )


def _costs(what: str, row: dict[str, Any]) -> str:
    """Errors of the held-out stages of one family, or of all."""
    keys = ("median", "quantile_95", "within_20", "median_without_floor", "within_20_without_floor", "ff_median")  # fmt: skip
    wrong = f"{row['block_rams_wrong']}, {row['dsp_wrong']}"
    return _row(what, row["rows"], f"{row['rank_correlation']:.3f}", *(f"{row[key]} %" for key in keys), wrong)  # fmt: skip


def _cost_block(row: dict[str, Any]) -> str:
    worst, median = f"{row['worst']} %", f"{row['median']} %"
    return _row(row["block"], row["family"], row["rows"], median, worst)


def _cost_network(row: dict[str, Any]) -> str:
    """What was placed and what was predicted."""
    pairs = (f"{row[key][1]}, {row[key][0]}" for key in ("ff", "block_rams", "dsp"))
    found, predicted = row["cells"]
    return _row(_name(row), predicted, found, f"{row['error']:+.1f} %", *pairs)


_STEP_RATIOS = {
    "paper_over_off": "recurrent step, `paper` over `off`, plain",
    "shipped_paper_over_off": "recurrent step, `paper` over `off`, as shipped",
    "official_over_off": "`official` over `off`, plain",
    "official_ranked_over_off": "`official_ranked` over `off`, plain",
    "data_over_shipped_step": "loading and augmentation, share of a step as shipped",
    "channels_last_over_contiguous": "channels last over contiguous",
    "bfloat16_over_plain": "bfloat16 over plain",
    "compiled_over_plain": "compiled over plain",
    "compiled_bfloat16_over_plain": "compiled and bfloat16 over plain",
    "shipped_over_plain": "as shipped over plain",
}


def _step(result: dict[str, Any], key: str) -> str:
    ratio = result["ratios"][key]
    limit = ratio["limit"]
    verdict = (
        ""
        if limit is None
        else f"at most {limit:g}: " + ("held" if ratio["median"] <= limit else "**missed**")
    )
    return _row(f"`{result['network']}`", _STEP_RATIOS[key], f"{ratio['median']:.3f}", verdict)  # fmt: skip


def _operands(name: str, row: dict[str, Any]) -> str:
    """A stage with other operands than bits; what a product costs where the stage makes some."""
    products = row.get("products_per_cycle")
    return _row(
        name,
        row["device"],
        row["lut_equivalents"],
        row["flip_flops"],
        row["block_rams"],
        row["dsp"],
        f"{row['slowest_mhz']:.1f}" if row["slowest_mhz"] else "not routed",
        f"{products:g}" if products else "",
        f"{row['lut_equivalents'] / products:.1f}" if products else "",
    )


def _mode(summary: dict[str, Any]) -> str:
    """A mode's line; what is not there yet is said to be missing."""
    finished, runs = summary["finished"], summary["runs"]
    return _row(
        f"`{summary['mode']}`",
        f"{finished} of {runs}" + (", incomplete" if finished < runs else ""),
        *(_spread(summary[f"{key}_accuracy"]) for key in ("held_out", "test", "selection")),
        _spread(summary["held_out_over_off"], "+") if summary["mode"] != "off" else "",
        _spread(summary["sign_flip_ratio_last_epoch"]),
        _spread(summary["active_channel_ratio_last_epoch"]),
    )


def _spread(spread: dict[str, Any], sign: str = "") -> str:
    """Mean and deviation in per cent."""
    if spread["mean"] is None:
        return "missing"
    mean = f"{100 * spread['mean']:{sign}.2f}"
    deviation = spread["deviation"]
    return mean if deviation is None else f"{mean} ± {100 * deviation:.2f}"


def _settings(mode: dict[str, Any]) -> str:
    values = (mode[key] for key in ("bilinear_term", "lam", "tau", "u0", "eta_u", "weight_limit"))
    return _row(f"`{mode['mode']}`", *("none" if value is None else f"{value}" for value in values))


def _run(run: dict[str, Any], epochs: int) -> str:
    name = (f"`{run['mode']}`", f"{run['seed']}")
    if not run["finished"]:
        return _row(*name, f"epoch {run['epochs_done']} of {epochs}", *["missing"] * 4)
    accuracies = (run[f"{key}_accuracy"] for key in ("selection", "held_out", "test"))
    best = f"{run['best_epoch']} of {epochs}"
    return _row(*name, best, *(f"{100 * value:.2f}" for value in accuracies), run["minutes"])


def _board(board: Board) -> str:
    return _row(
        f"`{board.name}`",
        f"{board.title}: {board.device}, {board.package}",
        f"{board.clock_hz / 1e6:g} from {board.oscillator_hz / 1e6:g}",
        _dividers(board),
        f"{_baud(board)}, {board.uart.via}",
        board.memory,
    )


def _highest_clock(row: dict[str, Any]) -> str:
    """A search of `highest_clock.py`: what it found, and what each clock that was tried reached, seed by seed."""
    reached: dict[float, list[str]] = {}
    for tried in row["tried"]:
        reached.setdefault(tried["clock_mhz"], []).append(f"{tried['fmax_mhz']:.1f}")
    return _row(
        f"`{row['network']}`, {row['board']}",
        f"{row['own_mhz']:g}",
        f"**{row['clock_mhz']:g}**, seed {row['seed']}",
        f"{row['fmax_mhz']:.1f}",
        f"{row['baud']:,}".replace(",", " "),
        "; ".join(f"{clock:g}: {', '.join(values)}" for clock, values in reached.items()),
    )


def _baud(board: Board) -> str:
    return f"{board.uart.baud(board.clock_hz):,} baud".replace(",", " ")


def _dividers(board: Board) -> str:
    """The PLL's setting for the board's own clock."""
    pll = board.pll(board.clock_hz)
    vco = f"VCO {float(pll.vco_hz) / 1e6:g}"
    if isinstance(pll, Ice40PllSetting):
        return f"DIVR {pll.divr}, DIVF {pll.divf}, DIVQ {pll.divq}; {vco}"
    clkos = "" if pll.clkos_div is None else f", CLKOS {pll.clkos_div}"
    return f"CLKI {pll.clki_div}, CLKFB {pll.clkfb_div}, CLKOP {pll.clkop_div}{clkos}; {vco}"


def _programming(board: Board) -> str:
    programming = board.programming
    by_hand = [programming.by_hand, board.remark]
    if programming.needs_cable:
        by_hand.insert(0, "takes a JTAG cable of yours (`--cable`)")
    volatile = "yes" if programming.loads_device else "no"
    if programming.volatile_by_hand:
        volatile += f": {programming.volatile_by_hand}"
    return _row(
        f"`{board.name}`",
        ", ".join(dict.fromkeys(programming.names)),
        volatile,
        "; ".join(text for text in by_hand if text),
    )


def _tried(board: Board, built: list[dict[str, Any]]) -> str:
    """What has been done for a board: it is elaborated by a test, the rest is in the results."""
    builds = {row["network"]: row for row in reversed(built) if row["board"] == board.name}
    if not builds:
        return _row(f"`{board.name}`", "yes", "not yet", *[""] * 3, "no")
    return "\n".join(
        _row(
            f"`{board.name}`",
            "yes",
            f"`{row['network']}`" + ("" if row["timing_met"] else ", too slow"),
            f"{row['clock_asked_mhz']:g}, {row['clock_mhz']:g}, {row['fmax_mhz']:.1f}",
            f"{row['resources']['logic_cells']:,} of {row['capacity']['lut4']:,}".replace(",", " "),
            f"{row['resources']['block_rams']} of {row['capacity']['block_rams']}",
            "no",
        )
        for _, row in sorted(builds.items())
    )


def _board_short(board: Board, built: list[dict[str, Any]]) -> str:
    networks = sorted({f"`{row['network']}`" for row in built if row["board"] == board.name})
    return _row(
        f"`{board.name}`",
        board.device,
        f"{board.clock_hz / 1e6:g} MHz from {board.oscillator_hz / 1e6:g}",
        f"{_baud(board)}, {board.uart.via}",
        ", ".join(networks) or "not yet",
        "no",
    )


def _row(*cells: str | float) -> str:
    texts = (
        f"{cell:,}".replace(",", " ") if isinstance(cell, int) else str(cell) for cell in cells
    )
    return f"| {' | '.join(texts)} |"


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(updated(document.read_text()))
