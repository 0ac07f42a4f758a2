"""The numbers that `rbonn lower` states about a residual network, against the layers by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from rbonn.sw.lower import FixedPoint, compare_residual, lower
from rbonn.sw.lower.trace import trace

from . import integer_reference
from .residual_modules import Shape, build

SHAPE = Shape(shortcut="conv1x1", slopes="free")
NUMBERS = FixedPoint(stream_bits=9)  # coarse, so that bits differ


@pytest.fixture(scope="module")
def compared():
    module, images = build(SHAPE, 11)
    network = lower(module, "t", SHAPE.image_type, calibration=images, fixed_point=NUMBERS)
    more = np.concatenate([images] * 3)  # more than a batch
    labels = np.arange(len(more)) % SHAPE.n_classes
    done = []
    agreement = compare_residual(
        module, network, more, labels, dtype=torch.float64, progress=done.append
    )
    assert sum(done) == len(more)
    return module, network, more, labels, agreement


def by_hand(module, images):
    """(edges without the shifts behind the PReLUs as (n, height, width, channel), bits, scores) of the trained network in float64."""
    layers = [layer.module for layer in trace(module, SHAPE.image_type)]
    x = torch.from_numpy(images).permute(0, 3, 1, 2).double()
    with torch.no_grad():
        for layer in layers[:3]:
            x = layer(x)
        edges, bits = {"stem_norm": x}, {}
        for number, block in enumerate(layers[3:6], start=1):
            bits[f"block{number}_bits"] = block.sign(x)
            total = block.norm(block.product(block.sign(x))) + block.shortcut(x)
            x = block.activation(total)
            edges[f"block{number}_sum"] = total + block.activation.shift_in[:, None, None]
            edges[f"block{number}"] = x - block.activation.shift_out[:, None, None]
        scores = layers[-1](x.mean(dim=(2, 3))).numpy()
    return *({name: edge.permute(0, 2, 3, 1).numpy() for name, edge in found.items()} for found in (edges, bits)), scores  # fmt: skip


def test_accuracies_and_errors_are_those_of_the_layers(compared):
    module, network, images, labels, agreement = compared
    edges, bits, scores = by_hand(module, images)
    integers = integer_reference.run(network, images)
    unit = 2.0 ** network.metadata["fixed_point"]["stream_fraction"]
    assert set(agreement.stream) == set(edges)
    for name, edge in edges.items():
        error = np.abs(integers[name] / unit - edge)
        found = agreement.stream[name]
        assert found.largest == pytest.approx(error.max(), rel=1e-9)
        assert found.mean == pytest.approx(error.mean(), rel=1e-9)
        assert found.largest_lsb == pytest.approx(error.max() * unit, rel=1e-9)
    differ = {name: int((edge != integers[name]).sum()) for name, edge in bits.items()}
    assert agreement.disagreements == differ
    assert sum(differ.values()) > 0
    assert agreement.bits == {name: edge.size for name, edge in bits.items()}
    score_unit = 2.0 ** network.metadata["fixed_point"]["score_fraction"]
    actual = integers["scores"][:, 0, 0] / score_unit
    assert agreement.scores.largest == pytest.approx(np.abs(actual - scores).max(), rel=1e-9)
    classes = scores.argmax(axis=1), actual.argmax(axis=1)
    assert agreement.accuracy_float == (classes[0] == labels).mean()
    assert agreement.accuracy_integer == (classes[1] == labels).mean()
    assert agreement.class_agreement == (classes[0] == classes[1]).mean()
    assert agreement.images == 120


def test_the_rounding_alone_is_a_few_last_bits_where_turned_bits_make_large_errors(compared):
    agreement = compared[-1]
    last = agreement.stream["block3"]
    assert last.largest_lsb > 10 > 4 > last.rounding_lsb > 0.3
    assert agreement.stream["stem_norm"].rounding_lsb == pytest.approx(
        agreement.stream["stem_norm"].largest_lsb
    )


def test_metadata_hold_what_was_found(compared):
    agreement = compared[-1]
    metadata = agreement.metadata()
    assert metadata["test_images"] == 120
    assert metadata["accuracy_integer"] == agreement.accuracy_integer
    assert metadata["bit_disagreements"] == sum(agreement.disagreements.values())
    assert metadata["saturations"] == 0
    assert metadata["stream_errors"]["block3"] == {
        "largest": agreement.stream["block3"].largest,
        "mean": agreement.stream["block3"].mean,
        "largest_lsb": agreement.stream["block3"].largest_lsb,
        "rounding_lsb": agreement.stream["block3"].rounding_lsb,
    }


def test_one_wrong_constant_shows_in_the_rounding_of_its_block_alone(compared):
    module, network, images, labels, agreement = compared
    nodes = list(network.nodes)
    place = next(i for i, node in enumerate(nodes) if node.name == "block2_norm")
    offsets = nodes[place].offsets.copy()
    offsets[3] += 5 << nodes[place].shift
    nodes[place] = replace(nodes[place], offsets=offsets)
    wrong = compare_residual(
        module, replace(network, nodes=tuple(nodes)), images, labels, dtype=torch.float64
    )
    change = {
        name: wrong.stream[name].rounding_lsb - agreement.stream[name].rounding_lsb
        for name in wrong.stream
    }
    assert change["block2_sum"] > 4
    assert all(abs(change[name]) < 1 for name in ("stem_norm", "block1", "block3_sum"))


def test_labels_of_another_number_or_another_network_are_refused(compared):
    module, network, images, labels, _ = compared
    with pytest.raises(ValueError, match="Labels must be one per image, not 119 for 120"):
        compare_residual(module, network, images, labels[1:])
    with pytest.raises(ValueError, match="Labels must be one per image, not 0 for 0"):
        compare_residual(module, network, images[:0], labels[:0])
    with pytest.raises(ValueError, match="Network must be one lowered from the module, not 't'"):
        compare_residual(module, replace(network, metadata={}), images, labels)
    deeper, _ = build(Shape(blocks=((4, 1), (8, 2), (8, 1), (8, 1))))
    with pytest.raises(ValueError, match="Network must be one lowered from the module, not 't'"):
        compare_residual(deeper, network, images, labels)
