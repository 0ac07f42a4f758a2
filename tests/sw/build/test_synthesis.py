"""Builds with the real tools; marked `synth`, because each takes seconds."""

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth import Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform
from rbonn.boards import BOARDS, ICE40_HX8K_EVN, ICEBREAKER, ULX3S_25F, Board
from rbonn.sw.build import BuildCache, BuildResult, build, read_report
from rbonn.sw.build.cache import file_digest
from rbonn.sw.build.design import board_design
from rbonn.sw.build.flow import LOGS, netlist_key
from rbonn.sw.build.synthesis import build_key
from rbonn.sw.build.toolchain import find_tools
from rbonn.sw.errors import BuildFailedError, DoesNotFitError

from .echo import Echo

pytestmark = pytest.mark.synth


class Counters(wiring.Component):
    """A design with carries, block RAM and a long path: counters and a memory, folded into one line."""

    rx: In(1)
    tx: Out(1, init=1)

    def __init__(self, memories: int = 2, sum_bits: int = 32) -> None:
        self.memories = memories
        self.sum_bits = sum_bits
        super().__init__()

    def elaborate(self, platform) -> Module:
        m = Module()
        words = []
        address = Signal(8)
        m.d.sync += address.eq(address + self.rx)
        for number in range(self.memories):
            memory = Memory(
                shape=16,
                depth=256,
                init=[(number + 1) * index * 40_503 & 0xFFFF for index in range(256)],
                attrs={"ram_style": "block"},
            )
            m.submodules[f"memory{number}"] = memory
            port = memory.read_port()
            m.d.comb += port.addr.eq(address + number)
            words.append(port.data)
        total = Signal(self.sum_bits)
        m.d.sync += [total.eq(total + sum(words)), self.tx.eq(Cat(total, self.rx).xor())]
        return m


class BlockRams(wiring.Component):
    """A number of iCE40 block RAMs."""

    rx: In(1)
    tx: Out(1, init=1)

    def __init__(self, n: int) -> None:
        self.n = n
        super().__init__()

    def elaborate(self, platform) -> Module:
        m = Module()
        line = self.rx
        for number in range(self.n):
            data = Signal(16, name=f"data{number}")
            m.submodules[f"ram{number}"] = Instance(
                "SB_RAM40_4K",
                i_RCLK=ClockSignal(),
                i_RCLKE=1,
                i_RE=1,
                i_RADDR=Cat(line, Const(0, 10)),
                o_RDATA=data,
            )
            line = data[0]
        m.d.comb += self.tx.eq(line)
        return m


@pytest.fixture(scope="module", params=[ICEBREAKER, ULX3S_25F], ids=lambda board: board.name)
def board(request) -> Board:
    return request.param


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> BuildCache:
    return BuildCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def result(board: Board, cache: BuildCache, tmp_path_factory) -> BuildResult:
    steps: list[tuple[str, float]] = []
    folder = tmp_path_factory.mktemp(board.name) / "new" / "folder"
    built = build(
        board,
        Counters(),
        "counters",
        folder,
        cache=cache,
        progress=lambda step, part: steps.append((step, part)),
    )
    parts = [part for _, part in steps]
    assert parts == sorted(parts)
    assert steps[-1] == ("done", 1.0)
    assert {"elaborating", "synthesis", "place and route, seed 1"} <= {step for step, _ in steps}
    return built


def test_the_result_says_what_the_tools_say(board: Board, result: BuildResult):
    folder = result.bitstream.parent
    log = (folder / "nextpnr.log").read_text()
    fmax = [float(mhz) for mhz in re.findall(r"Max frequency for clock .*: ([\d.]+) MHz", log)]
    assert result.fmax_hz / 1e6 == pytest.approx(fmax[-1], abs=0.01)
    assert result.clock_hz == board.clock_hz
    assert result.timing_met
    assert "ERROR" not in log

    def line(kind: str) -> tuple[int, int]:
        used, available = re.search(rf"{kind}:\s+(\d+)/\s*(\d+)", log).groups()
        return int(used), int(available)

    logic, rams, dsp = {
        "ice40": ("ICESTORM_LC", "ICESTORM_RAM", "ICESTORM_DSP"),
        "ecp5": ("TRELLIS_COMB", "DP16KD", "MULT18X18D"),
    }[board.family]
    used = result.resources
    assert (used.logic_cells, board.capacity.lut4) == line(logic)
    assert (used.block_rams, board.capacity.block_rams) == line(rams)
    assert (used.dsp, board.capacity.dsp) == line(dsp)
    assert used.block_rams == 2
    assert result.capacity["lut4"] == board.capacity.lut4

    cells: dict[str, int] = {}
    for cell in json.loads((folder / "top.json").read_text())["modules"]["top"]["cells"].values():
        cells[cell["type"]] = cells.get(cell["type"], 0) + 1
    if board.family == "ice40":
        assert used.lut4 == cells["SB_LUT4"]
        assert used.carry == cells["SB_CARRY"] > 20
        assert used.ff == sum(n for kind, n in cells.items() if kind.startswith("SB_DFF"))
    else:
        assert used.lut4 == cells["LUT4"] + 2 * cells["CCU2C"]
        assert used.carry == cells["CCU2C"] > 10
        assert used.ff == cells["TRELLIS_FF"]
    assert used.lut4 <= used.logic_cells + used.carry


def test_every_file_is_there_and_no_other(board: Board, result: BuildResult):
    folder = result.bitstream.parent
    constraints, text = {"ice40": ("top.pcf", "top.asc"), "ecp5": ("top.lpf", "top.config")}[
        board.family
    ]
    expected = {
        "top.v",
        "top.ys",
        "block_ram_map.v",
        constraints,
        "top.json",
        "routed.json.gz",
        text,
        f"top{board.bitstream_suffix}",
        "report.json",
        *LOGS,
    }
    assert {path.name for path in folder.iterdir()} == expected
    assert result.bitstream == folder / f"top{board.bitstream_suffix}"
    report = json.loads((folder / "report.json").read_text())
    assert report["schema"] == 1
    assert report["bitstream_sha256"] == file_digest(result.bitstream)
    assert read_report(folder) == result
    assert result.description()["bitstream"] == str(result.bitstream)
    assert result.description()["resources"]["block_rams"] == 2
    json.dumps(result.description())


def test_the_pll_gives_the_clock_its_constraint(board: Board, result: BuildResult):
    report = json.loads((result.bitstream.parent / "report.json").read_text())
    asked = [clock["asked_hz"] for clock in report["clocks"].values()]
    assert asked == [pytest.approx(board.clock_hz, rel=1e-4)]
    log = (result.bitstream.parent / "nextpnr.log").read_text()
    assert f"Derived frequency constraint of {board.clock_hz / 1e6:.1f} MHz" in log


def test_a_hit_in_the_cache_gives_the_same_files_at_once(
    board: Board, result: BuildResult, cache: BuildCache, tmp_path: Path
):
    start = time.monotonic()
    again = build(board, Counters(), "other name", tmp_path, cache=cache)
    assert again.cached
    assert not result.cached
    assert time.monotonic() - start < result.seconds
    assert again.name == "other name"
    assert again.seconds == result.seconds
    for path in result.bitstream.parent.iterdir():
        if path.name != "report.json":
            assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_another_seed_clock_or_design_is_another_build(
    board: Board, result: BuildResult, cache: BuildCache, tmp_path: Path
):
    other = build(board, Counters(), "counters", tmp_path, cache=cache, seed=2)
    assert not other.cached
    assert other.seed == 2
    assert other.bitstream.read_bytes() != result.bitstream.read_bytes()
    # The log has times in it, so it is of the same run of yosys.
    for name in ("top.json", "yosys.log"):
        netlists = [built.bitstream.parent / name for built in (other, result)]
        assert netlists[0].read_bytes() == netlists[1].read_bytes()


def test_a_damaged_netlist_in_the_cache_is_made_again(tmp_path: Path):
    cache = BuildCache(tmp_path / "cache")
    first = build(ICEBREAKER, Echo(), "echo", tmp_path / "first", cache=cache)
    entry = next(path for path in cache.folder.iterdir() if len(list(path.iterdir())) == 4)
    (entry / "yosys.log").write_text("damaged")
    second = build(ICEBREAKER, Echo(), "echo", tmp_path / "second", cache=cache, seed=2)
    logs = [(built.bitstream.parent / "yosys.log").read_text() for built in (first, second)]
    assert "damaged" not in logs[1]
    assert logs[0] != logs[1]


def test_a_netlist_is_for_all_seeds_and_pins_and_of_one_verilog_and_yosys():
    design = board_design(ICEBREAKER, Echo())
    yosys = find_tools("ice40")["yosys"]
    pins = {name: text + "#" for name, text in design.files.items() if name.endswith(".pcf")}
    script = {name: text + "#" for name, text in design.files.items() if name.endswith(".ys")}
    key = netlist_key(design, yosys)
    assert netlist_key(board_design(ICEBREAKER, Echo(), seed=2), yosys) == key
    assert netlist_key(replace(design, files=design.files | pins), yosys) == key
    others = {
        netlist_key(replace(design, files=design.files | script), yosys),
        netlist_key(replace(design, verilog=design.verilog + " "), yosys),
        netlist_key(design, replace(yosys, version="99")),
    }
    assert len(others - {key}) == 3


def test_the_key_of_a_build_depends_on_all_that_decides_its_result():
    design = board_design(ICEBREAKER, Echo())
    tools = find_tools("ice40")
    newer = {**tools, "yosys": replace(tools["yosys"], version="99")}
    keys = {
        build_key(design, tools, 1),
        build_key(design, tools, 2),
        build_key(design, newer, 1),
        build_key(replace(design, verilog=design.verilog + "//"), tools, 1),
        build_key(replace(design, files={**design.files, "top.pcf": ""}), tools, 1),
        build_key(replace(design, commands=design.commands[:2]), tools, 1),
        build_key(replace(design, board=replace(ICEBREAKER, device="other")), tools, 1),
    }
    assert len(keys) == 7
    assert build_key(board_design(ICEBREAKER, Echo()), find_tools("ice40"), 1) in keys
    assert build_key(board_design(ICEBREAKER, Echo(), seed=2), tools, 1) in keys


def test_a_clock_that_is_missed_is_reported_not_hidden(tmp_path: Path):
    steps = []
    result = build(
        ICEBREAKER,
        Counters(sum_bits=64),
        "slow",
        tmp_path,
        192_000_000,
        attempts=3,
        progress=lambda step, part: steps.append(step),
    )
    assert not result.timing_met
    assert result.fmax_hz < 0.9 * 192e6
    assert result.clock_hz == 192e6
    assert result.bitstream.is_file()
    # Missed by far, so no other seed is tried.
    assert "place and route, seed 2" not in steps


def test_a_design_that_is_too_large_names_the_resource_and_leaves_its_logs(tmp_path: Path):
    folder = tmp_path / "out"
    with pytest.raises(DoesNotFitError, match="needs 31 block RAMs, the iCE40UP5K has 30"):
        build(ICEBREAKER, BlockRams(31), "large", folder)
    assert {path.name for path in folder.iterdir()} == {"yosys.log", "nextpnr.log"}


def test_a_tool_that_fails_is_named_with_its_message_and_log(tmp_path: Path):
    folder = tmp_path / "out"
    with pytest.raises(BuildFailedError) as caught:
        build(ICEBREAKER, Echo(), "echo", folder, synthesis_options=["-no-such-option"])
    assert caught.value.message.startswith("yosys: failed with status 1: ERROR: Command syntax")
    assert caught.value.hint == f"The whole log is {folder / 'yosys.log'}."
    assert {path.name for path in folder.iterdir()} == {"yosys.log"}


def test_a_build_that_takes_too_long_is_ended(tmp_path: Path):
    with pytest.raises(BuildFailedError, match=r"not finished after 0\.05 seconds"):
        build(ICEBREAKER, Echo(), "echo", tmp_path / "out", timeout_seconds=0.05)


def test_a_failed_build_leaves_the_files_of_the_one_before(result: BuildResult, board: Board):
    folder = result.bitstream.parent
    before = {path.name: file_digest(path) for path in folder.iterdir() if path.name not in LOGS}
    with pytest.raises(BuildFailedError):
        build(board, Echo(), "echo", folder, place_and_route_options=["--no-such-option"])
    after = {path.name: file_digest(path) for path in folder.iterdir() if path.name not in LOGS}
    assert before == after


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing_and_nothing_running(tmp_path: Path, sent):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rbonn.boards import ICEBREAKER\n"
        "from rbonn.sw.build import build\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from tests.sw.build.echo import Echo\n"
        "tell = lambda step, part: print(step, flush=True)\n"
        "build(ICEBREAKER, Echo(3000), 'echo', Path('out'), progress=tell)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        for line in process.stdout:
            if line.startswith("synthesis"):
                break
        time.sleep(0.5)
        children = _children(process.pid)
        assert children
        process.send_signal(sent)
        process.wait(timeout=30)
    assert process.returncode != 0
    time.sleep(0.2)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert not (tmp_path / "out").exists()


def _children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    return [
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == pid
    ]


def test_a_report_that_is_missing_or_damaged_is_no_build(tmp_path: Path):
    with pytest.raises(BuildFailedError, match="no finished build there"):
        read_report(tmp_path)
    (tmp_path / "report.json").write_text("[]")
    with pytest.raises(BuildFailedError, match="no finished build there"):
        read_report(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["upduino-v3", "icestick", "ice40-hx8k-evn", "colorlight-i5", "orangecrab-25f", "ecpix5-45"],
)
def test_a_board_of_every_kind_of_device_and_package_builds(name: str, tmp_path: Path):
    result = build(BOARDS[name], Echo(), "echo", tmp_path)
    assert result.timing_met
    assert result.bitstream.stat().st_size > 10_000


@pytest.mark.slow
def test_a_board_that_is_not_listed_is_built_from_its_description(tmp_path: Path):
    board = replace(ICE40_HX8K_EVN, name="own", title="my board", platform=ICE40HX8KBEVNPlatform)
    assert board.name not in BOARDS
    result = build(board, Counters(), "counters", tmp_path)
    assert result.timing_met
    assert result.board == "own"
    assert "-device hx" in (tmp_path / "top.ys").read_text()
    log = (tmp_path / "nextpnr.log").read_text()
    assert "Derived frequency constraint of 48.0 MHz" in log
