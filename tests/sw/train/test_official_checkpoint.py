"""State dicts of the released ResNet-18, made here from a list of its names and shapes, and a transcription of what it computes."""

import contextlib
import io
import os
import pickle
import random
from collections import OrderedDict

import pytest
import torch
from rbonn.sw.errors import CheckpointError
from rbonn.sw.train.networks import ImageShape, RecurrentConfig, ResNet18, ResNet18Config
from rbonn.sw.train.official_checkpoint import (
    CheckpointMismatchError,
    load_official_checkpoint,
    load_official_state,
    read_official_state,
)
from torch.nn import functional

GROUPS = {1: (64, 64), 2: (64, 128), 3: (128, 256), 4: (256, 512)}
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def norm_shapes(name, channels):
    numbers = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in numbers} | {f"{name}.num_batches_tracked": ()}


def released_shapes(n_classes=1000):
    """Every name and shape in the state dict of the released ResNet-18, in its order."""
    shapes = {"conv1.weight": (64, 3, 7, 7)} | norm_shapes("bn1", 64)
    for group, (before, channels) in GROUPS.items():
        for index in range(4):
            block = f"layer{group}.{index}"
            n_in = before if index == 0 else channels
            shapes |= {
                f"{block}.move0.bias": (1, n_in, 1, 1),
                f"{block}.binary_conv.weight": (channels, n_in, 3, 3),
                f"{block}.binary_conv.scale_factor": (channels, 1, 1, 1),
                f"{block}.binary_conv.u": (channels, 1, 1, 1),
                **norm_shapes(f"{block}.bn1", channels),
                f"{block}.move1.bias": (1, channels, 1, 1),
                f"{block}.prelu.weight": (channels,),
                f"{block}.move2.bias": (1, channels, 1, 1),
            }
            if index == 0 and group > 1:
                shapes[f"{block}.downsample.1.weight"] = (channels, n_in, 1, 1)
                shapes |= norm_shapes(f"{block}.downsample.2", channels)
    return shapes | {"fc.weight": (n_classes, 512), "fc.bias": (n_classes,)}


def released_state(n_classes=1000):
    state = OrderedDict()
    for name, shape in released_shapes(n_classes).items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(len(state))
        elif name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(shape)
        elif len(shape) == 4 and shape[-1] > 1:
            state[name] = torch.randn(shape) * 0.05
        else:
            state[name] = torch.randn(shape) * 0.5
    state._metadata = OrderedDict({"": {"version": 1}})  # as Module.state_dict() leaves it
    return state


def released_forward(state, x):
    """The released network in eval on normalised images (batch, 3, height, width), written down from its definition, any precision."""

    def norm(x, name):
        numbers = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, *numbers)

    x = functional.conv2d(x, state["conv1.weight"], stride=2, padding=3)
    x = functional.max_pool2d(norm(x, "bn1"), 3, 2, 1)
    for group in GROUPS:
        for index in range(4):
            block = f"layer{group}.{index}"
            halve = group > 1 and index == 0
            bits = torch.sign(x + state[f"{block}.move0.bias"])
            scale = state[f"{block}.binary_conv.scale_factor"].abs()
            weight = 0.02 * torch.sign(state[f"{block}.binary_conv.weight"]) * scale
            main = functional.conv2d(bits, weight, stride=2 if halve else 1, padding=1)
            main = norm(main, f"{block}.bn1")
            if halve:
                beside = functional.avg_pool2d(x, 2)
                beside = functional.conv2d(beside, state[f"{block}.downsample.1.weight"])
                main = main + norm(beside, f"{block}.downsample.2")
            else:
                main = main + x
            y = main + state[f"{block}.move1.bias"]
            slope = state[f"{block}.prelu.weight"][:, None, None]
            x = torch.where(y > 0, y, slope * y) + state[f"{block}.move2.bias"]
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


def official_network(n_classes=10, **options):
    config = ResNet18Config(recurrent=RecurrentConfig(mode="official"), **options)
    return ResNet18(config, ImageShape(64, 64, 3), n_classes)


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return released_state()


def test_the_generated_state_has_the_released_networks_sizes(state):
    binary = [
        tensor.numel() for name, tensor in state.items() if name.endswith("binary_conv.weight")
    ]
    assert (len(binary), sum(binary)) == (16, 10_985_472)
    assert len(state) == 218


@pytest.mark.parametrize("parallel", ["", "module."])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_loaded_network_computes_what_the_released_one_does(tmp_path, state, parallel, wrapped):
    contents = OrderedDict((parallel + name, tensor) for name, tensor in state.items())
    if wrapped:
        contents = {
            "epoch": 3,
            "state_dict": contents,
            "best_top1_acc": torch.tensor(66.7),
            "optimizer": {},
        }
    path = tmp_path / "model_best.pth.tar"
    torch.save(contents, path)
    network = load_official_checkpoint(path)
    assert not network.training
    pixels = torch.randint(0, 256, (2, 3, 64, 64)).double()
    mean, deviation = (torch.tensor(v)[:, None, None].double() for v in (MEAN, DEVIATION))
    double = {name: t.double() if t.is_floating_point() else t for name, t in state.items()}
    expected = released_forward(double, (pixels / 255 - mean) / deviation)
    # The mean and deviation are kept in float32.
    torch.testing.assert_close(network.double()(pixels), expected, rtol=1e-5, atol=1e-5)


def test_what_inference_does_not_use_is_loaded_too(state):
    network = official_network(1000)
    load_official_state(network, state, "state")
    for group in GROUPS:
        for index in range(4):
            name, block = (
                f"layer{group}.{index}",
                network.layers.get_submodule(f"layer{group}")[index],
            )
            assert torch.equal(block.product.gain, state[f"{name}.binary_conv.u"].flatten())
            assert torch.equal(block.product.weight, state[f"{name}.binary_conv.weight"])
            assert block.norm.num_batches_tracked == state[f"{name}.bn1.num_batches_tracked"]


def test_files_of_old_versions_of_torch_can_be_read(tmp_path, state):
    path = tmp_path / "old.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert read_official_state(path).keys() == state.keys()


def changed(state):
    other = OrderedDict(state)
    del other["layer2.0.downsample.1.weight"]
    del other["layer1.3.binary_conv.u"]
    other["layer1.0.conv2.weight"] = torch.zeros(1)
    other["fc.weight"] = torch.zeros(10, 512)
    return other


def test_a_mismatch_names_what_is_missing_unexpected_and_of_another_shape_and_loads_nothing(state):
    network = official_network(1000)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(CheckpointMismatchError) as caught:
        load_official_state(network, changed(state), "weights.pth")
    error = caught.value
    assert error.missing == ("layer1.3.binary_conv.u", "layer2.0.downsample.1.weight")
    assert error.unexpected == ("layer1.0.conv2.weight",)
    assert error.wrong_shapes == ("fc.weight (10, 512), not (1000, 512)",)
    assert error.message == (
        "weights.pth: not the released ResNet-18: 2 missing: layer1.3.binary_conv.u, layer2.0.downsample.1.weight; "
        "1 unexpected: layer1.0.conv2.weight; 1 of another shape: fc.weight (10, 512), not (1000, 512)"
    )
    assert "\n" not in error.message + error.hint
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_long_list_of_names_is_cut_in_the_message_and_whole_in_the_error():
    with pytest.raises(CheckpointMismatchError, match=r"218 missing: .* and 206 more") as caught:
        load_official_state(official_network(), {}, "empty")
    assert set(caught.value.missing) == set(released_shapes())


def test_a_column_is_not_taken_for_a_row(state):
    other = OrderedDict(state)
    other["layer1.0.move0.bias"] = torch.zeros(64, 1, 1, 1)
    with pytest.raises(CheckpointMismatchError, match=r"\(64, 1, 1, 1\), not \(1, 64, 1, 1\)"):
        load_official_state(official_network(1000), other, "state")


class Code:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_with_code_in_it_is_refused_and_the_code_not_run(tmp_path, legacy):
    path, marker = tmp_path / "evil.pth", tmp_path / "ran"
    contents = {"conv1.weight": torch.zeros(1), "extra": Code(marker)}
    torch.save(contents, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="contains code or objects") as caught:
        load_official_checkpoint(path)
    assert "\n" not in caught.value.message + caught.value.hint
    assert not marker.exists()
    pickle.loads(pickle.dumps(Code(marker)))  # it would have run
    assert marker.exists()


def saved(contents):
    file = io.BytesIO()
    torch.save(contents, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (None, "no such checkpoint"),
        (b"", "not a readable file of torch.save"),
        (b"a text\n", "not a readable file of torch.save"),
        (b"hello world", "not a readable file of torch.save"),
        (saved({"conv1.weight": torch.zeros(9)})[:-100], "not a readable file of torch.save"),
        (saved([torch.zeros(1)]), "holds no state dict"),
        (saved({"state_dict": [1, 2]}), "holds no state dict"),
        (saved({"conv1.weight": 3}), "holds no state dict"),
        (saved({4: torch.zeros(1)}), "holds no state dict"),
    ],
)
def test_a_file_that_is_no_state_dict_is_refused(tmp_path, contents, message):
    path = tmp_path / "weights.pth"
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_official_checkpoint(path)
    assert "\n" not in caught.value.message + caught.value.hint


def test_no_damage_to_a_file_shows_as_another_error(tmp_path):
    path, generator = tmp_path / "weights.pth", random.Random(0)
    for legacy in (False, True):
        torch.save({"conv1.weight": torch.ones(3)}, path, _use_new_zipfile_serialization=not legacy)
        whole = path.read_bytes()
        read = 0
        for _ in range(100):
            damaged = bytearray(whole)
            damaged[generator.randrange(min(300, len(damaged)))] = generator.randrange(256)
            path.write_bytes(damaged)
            with contextlib.suppress(CheckpointError):
                read_official_state(path)
                read += 1
        assert read < 80


def test_a_network_that_would_compute_something_else_is_refused(state):
    paper = ResNet18(ResNet18Config(), ImageShape(64, 64, 3), 1000)
    with pytest.raises(ValueError, match="Mode must be official or official_ranked, not 'paper'"):
        load_official_state(paper, state, "state")
    with pytest.raises(ValueError, match="Slopes must be free, not 'power_of_two'"):
        load_official_state(official_network(slopes="power_of_two"), state, "state")


def test_another_shortcut_is_a_mismatch(state):
    with pytest.raises(CheckpointMismatchError) as caught:
        load_official_state(official_network(1000, shortcut="avgpool_duplicate"), state, "state")
    assert caught.value.missing == ()
    assert len(caught.value.unexpected) == 3 * 6
