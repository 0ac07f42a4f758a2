"""Network files: what is written is read back; whatever else a file may hold is refused in one line."""

import json
import struct

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from rbonn.sw.errors import InputFileError, OutputError
from rbonn.sw.network import (
    Add,
    Affine,
    ArgMax,
    AvgPool,
    Binarise,
    Bipolar,
    ConcatChannels,
    Conv,
    Dense,
    EdgeType,
    GlobalAvgPool,
    Int,
    MaxPool,
    Network,
    PReLU,
    Thermometer,
    Threshold,
    UInt,
    load_network,
    save_network,
)
from rbonn.sw.network.nodes import KINDS

from ...random_residual_networks import residual_networks
from .integer_reference import network_reference


@pytest.fixture
def network():
    """One node of every kind."""
    generator = np.random.default_rng(0)
    nodes = (
        Thermometer("levels", ("image",), np.array([10, 100])),
        Conv("conv", ("levels",), generator.choice(np.array([-1, 1], np.int8), (3, 3, 3, 2)), Bipolar(), 1, 1, 0),
        Threshold("act", ("conv",), np.array([1, -2, 3])),
        MaxPool("pool", ("act",), 2),
        Dense("head", ("pool",), generator.integers(-128, 128, (5, 12)).astype(np.int8), Int(8)),
        Affine("scores", ("head",), np.arange(5), np.arange(5) - 2, 3, Int(6)),
        ArgMax("label", ("scores",)),
        Binarise("bits", ("image",), 128),
        Affine("stream", ("image",), np.array([-3]), np.array([7]), 1, Int(12)),
        PReLU("prelu", ("stream",), np.array([-5]), 2),
        Add("add", ("prelu", "stream")),
        ConcatChannels("copies", ("add",), 3),
        AvgPool("squares", ("copies",), 1),
        GlobalAvgPool("sums", ("squares",)),
    )  # fmt: skip
    image = EdgeType(UInt(8), (4, 5, 1))
    metadata = {"dataset": "none", "accuracy_integer": 0.5}
    return Network("tiny", image, nodes, 0, "scores", tuple("abcde"), metadata)


@pytest.fixture
def path(network, tmp_path):
    path = tmp_path / "new" / "tiny.safetensors"
    save_network(network, path)
    return path


def rewritten(path, **changes):
    """Writes the file at `path` anew with other metadata or other arrays."""
    with safetensors.safe_open(str(path), framework="numpy") as file:
        header = file.metadata()
    arrays = safetensors.numpy.load_file(path)
    arrays |= changes.pop("arrays", {})
    header |= changes
    header = {name: value for name, value in header.items() if value is not None}
    safetensors.numpy.save_file(arrays, path, metadata=header)


def refused(path, message):
    with pytest.raises(InputFileError, match=message) as error:
        load_network(path)
    assert str(path) in error.value.message
    assert "\n" not in error.value.message + error.value.hint


def test_a_network_is_read_back_as_it_was(network, path):
    again = load_network(path)
    assert again.description() == network.description()
    assert again.metadata == network.metadata
    assert again.edges == network.edges
    assert again.hash() == network.hash()
    for name, array in network.arrays().items():
        assert again.arrays()[name].dtype == array.dtype
        np.testing.assert_array_equal(again.arrays()[name], array)
    assert [p.name for p in path.parent.iterdir()] == ["tiny.safetensors"]


def test_the_network_here_has_every_kind_and_computes_the_same_after_reading(network, path):
    assert {node.kind for node in network.nodes} == set(KINDS)
    images = np.random.default_rng(1).integers(0, 256, (2, 4, 5, 1))
    expected, _ = network_reference(network, images)
    again, _ = network_reference(load_network(path), images)
    for name, edge in expected.items():
        np.testing.assert_array_equal(again[name], edge, err_msg=name)


def test_networks_drawn_at_random_are_read_back(tmp_path):
    @settings(max_examples=20)
    @given(network=residual_networks())
    def check(network):
        save_network(network, tmp_path / "drawn.safetensors")
        again = load_network(tmp_path / "drawn.safetensors")
        assert again.hash() == network.hash()
        assert again.edges == network.edges

    check()


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "nothing", "no such network file")
    refused(tmp_path, "no such network file")


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    refused(path, "not a readable safetensors file")


def test_a_file_of_another_format_is_refused(path):
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    refused(path, "not a readable safetensors file")
    path.write_bytes(b"text, not tensors\n" * 9)
    refused(path, "not a readable safetensors file")
    safetensors.numpy.save_file({"weights": np.zeros(3)}, path)
    refused(path, "a safetensors file, but not a network file")
    safetensors.numpy.save_file({"w": np.zeros(3)}, path, metadata={"format": "rbonn.checkpoint"})
    refused(path, "a safetensors file, but not a network file")


def test_another_schema_is_refused(path):
    rewritten(path, schema="2")
    refused(path, "schema 2, this program reads 1")
    rewritten(path, schema=None)
    refused(path, "schema None, this program reads 1")


def test_changed_weights_are_noticed(network, path):
    weights = network.nodes[1].weights.copy()
    weights[0, 0, 0, 0] *= -1
    rewritten(path, arrays={"conv.weights": weights})
    refused(path, "contents differ from the hash in the file")


def test_every_changed_byte_of_the_arrays_is_noticed(path):
    contents = path.read_bytes()
    start = 8 + struct.unpack("<Q", contents[:8])[0]
    assert len(contents) > start
    for position in range(start, len(contents)):
        changed = bytearray(contents)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(InputFileError):
            load_network(path)


def edited(path, edit):
    """Writes the file anew with the description that `edit` changed in place."""
    with safetensors.safe_open(str(path), framework="numpy") as file:
        description = json.loads(file.metadata()["network"])
    edit(description)
    rewritten(path, network=json.dumps(description))


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.update(name="other"),
        lambda d: d["nodes"][7].update(threshold=1),
        lambda d: d["nodes"][1].update(pad_value=-1),
        lambda d: d["nodes"][9].update(shift=3),
        lambda d: d["nodes"][10].update(inputs=["stream", "prelu"]),
        lambda d: d["nodes"][11].update(copies=2),
        lambda d: d.update(class_names=list("edcba")),
    ],
)
def test_a_changed_description_is_noticed(path, edit):
    edited(path, edit)
    refused(path, "contents differ from the hash in the file")


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.pop("nodes"),
        lambda d: d.pop("scores"),
        lambda d: d["nodes"][0].update(kind="Softmax"),
        lambda d: d["nodes"][0].pop("kind"),
        lambda d: d["nodes"][0].update(unknown=1),
        lambda d: d["nodes"][1].pop("stride"),
        lambda d: d["nodes"][1].update(weight_type="float32"),
        lambda d: d["nodes"][1].update(inputs=["nowhere"]),
        lambda d: d["nodes"][1].update(name="levels"),
        lambda d: d["nodes"][3].update(size=9),
        lambda d: d["nodes"][8].update(output_type="uint12"),
        lambda d: d["nodes"][9].pop("shift"),
        lambda d: d["nodes"][9].update(name="other"),
        lambda d: d["nodes"][10].update(inputs=["stream"]),
        lambda d: d["nodes"][10].update(inputs=["stream", "image"]),
        lambda d: d["nodes"][11].update(copies=0),
        lambda d: d["nodes"][11].update(copies="2"),
        lambda d: d["nodes"][12].update(size=3),
        lambda d: d["input"].update(shape=[4, 5]),
        lambda d: d["input"].update(datatype="uint64"),
        lambda d: d.update(nodes=3),
        lambda d: d.update(class_names=["a"]),
    ],
)
def test_a_damaged_description_is_refused(path, edit):
    edited(path, edit)
    refused(path, "damaged network description")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_a_description_that_is_no_object_is_refused(path, text):
    rewritten(path, network=text)
    refused(path, "damaged network description")


def test_missing_entries_are_refused(path):
    rewritten(path, metadata=None)
    refused(path, "damaged network description")
    rewritten(path, hash=None, metadata="{}")
    refused(path, "contents differ from the hash")


def test_a_failed_write_leaves_nothing(network, tmp_path, monkeypatch):
    def fail(*_arguments, **_named):
        raise OSError("disk full")

    monkeypatch.setattr(safetensors.numpy, "save_file", fail)
    with pytest.raises(OutputError, match="disk full"):
        save_network(network, tmp_path / "tiny.safetensors")
    assert list(tmp_path.iterdir()) == []
