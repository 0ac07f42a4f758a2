import json
import random
from collections import Counter
from pathlib import Path

import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from rbonn.sw.build.design import component_verilog
from rbonn.sw.build.memory_map import FILE, _ecp5_slice, _ice40_slice, fast_script
from rbonn.sw.build.process import run_tool
from rbonn.sw.build.toolchain import Tool, find_tool

SCRIPT = "read_verilog top.v\nsynth_{family} {options} -top top\nwrite_json -selected top.json\n"


class Memories(wiring.Component):
    """Memories of all the widths that the devices' block RAMs have, with random contents."""

    address: In(11)
    write: In(1)
    o: Out(1)

    def elaborate(self, platform) -> Module:
        m = Module()
        bits = []
        for width, depth in ((40, 200), (16, 256), (8, 512), (4, 1_024), (2, 2_048)):
            rng = random.Random(width)
            memory = Memory(
                shape=width,
                depth=depth,
                init=[rng.getrandbits(width) for _ in range(depth)],
                attrs={"ram_style": "block"},
            )
            m.submodules[f"memory{width}"] = memory
            read, write = memory.read_port(), memory.write_port()
            m.d.comb += [
                read.addr.eq(self.address),
                write.addr.eq(~self.address),
                write.data.eq(self.address),
                write.en.eq(self.write),
            ]
            result = Signal(name=f"bit{width}")
            m.d.sync += result.eq(read.data.xor())
            bits.append(result)
        m.d.comb += self.o.eq(Cat(*bits).xor())
        return m


@pytest.mark.synth
@pytest.mark.parametrize(
    ("family", "kinds", "least"),
    [("ice40", {"SB_RAM40_4K"}, 7), ("ecp5", {"DP16KD", "PDPW16KD"}, 5)],
)
def test_block_rams_are_the_same_with_and_without_the_rewriting(
    family, kinds, least, tmp_path: Path
):
    yosys = find_tool("yosys")
    whole = SCRIPT.format(family=family, options="")
    fast, files = fast_script(family, yosys, whole)
    assert files.keys() == {FILE}
    # The rest of synthesis is the same command in both, so it is left out.
    rest = f"synth_{family}  -top top -run map_ffram:\n"
    assert fast.count(rest) == 1
    fast = fast.replace(rest, "select top\n")
    plain = whole.replace("-top top\n", "-top top -run begin:map_ffram\nselect top\n")
    verilog = component_verilog(Memories())
    rams = {}
    for name, script in (("plain", plain), ("fast", fast)):
        folder = tmp_path / name
        folder.mkdir()
        for file, text in {**files, "top.v": verilog, "top.ys": script}.items():
            (folder / file).write_text(text)
        assert run_tool([yosys.path, "-q", "top.ys"], folder, folder / "log") == 0, (
            folder / "log"
        ).read_text()
        cells = json.loads((folder / "top.json").read_text())["modules"]["top"]["cells"].values()
        rams[name] = Counter(
            json.dumps([cell["type"], cell["parameters"]], sort_keys=True)
            for cell in cells
            if cell["type"] in kinds
        )
    assert rams["plain"] == rams["fast"]
    assert sum(rams["fast"].values()) >= least


def test_a_slice_of_an_ice40_ram_names_each_bit_in_the_order_of_yosys_own_loop():
    for index in (0, 5, 15):
        names = _ice40_slice(index).strip("{}").split(", ")[::-1]
        for i in range(256):
            low = i & 15
            swapped = (low & 1) << 3 | (low & 2) << 1 | (low & 4) >> 1 | (low & 8) >> 3
            assert names[i] == f"INIT[{index * 256 + (i & 0xF0) + swapped}]"


def test_a_slice_of_an_ecp5_ram_is_sixteen_padded_words():
    words = _ecp5_slice(2).strip("{}").split(", ")
    assert words[-2:] == ["2'b00", "INIT[576+:18]"]
    assert words[:2] == ["2'b00", "INIT[846+:18]"]
    assert len(words) == 32


@pytest.mark.parametrize("options", ["-spram", "-nobram", "-run begin:map_ram"])
def test_scripts_with_options_that_change_the_mapping_stay_as_they_are(options):
    script = SCRIPT.format(family="ice40", options=options)
    assert fast_script("ice40", find_tool("yosys"), script) == (script, {})


@pytest.mark.parametrize("source", ["native", "yowasp"])
def test_a_yosys_with_other_map_files_is_left_alone(source, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    script = SCRIPT.format(family="ecp5", options="")
    assert fast_script("ecp5", Tool("yosys", tmp_path / "yosys", "9", source), script) == (
        script,
        {},
    )
    (tmp_path / "yosys-config").write_text(f"#!/bin/sh\necho {tmp_path}\n")
    (tmp_path / "yosys-config").chmod(0o755)
    (tmp_path / "lattice").mkdir()
    (tmp_path / "lattice" / "brams_map_16kd.v").write_text("module other; endmodule\n")
    assert fast_script("ecp5", Tool("yosys", tmp_path / "yosys", "9", source), script) == (
        script,
        {},
    )
