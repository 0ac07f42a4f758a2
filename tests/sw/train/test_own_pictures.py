"""A data set of one's own, as docs/training.md tells it word for word: from folders of pictures to an integer network."""

import numpy as np
import pytest
import torch
from PIL import Image
from rbonn.sw.errors import CheckpointError
from rbonn.sw.lower.export import export
from rbonn.sw.models import find_network, load_images
from rbonn.sw.train.checkpoint import load_checkpoint
from rbonn.sw.train.fit import train

from .test_experiment_documentation import PAGE

SECTION = PAGE.partition("## A data set of your own\n")[2].partition("\n## ")[0]
EXPERIMENT = SECTION.partition("```toml\n")[2].partition("```")[0]
CLASSES = ("maple", "oak", "willow")


@pytest.fixture(scope="module")
def leaves(tmp_path_factory):
    """Folders as on the page, with noisy pictures of 40 x 36 pixels whose classes differ in colour."""
    folder = tmp_path_factory.mktemp("own") / "leaves"
    drawn = np.random.default_rng(1)
    for split, count in (("train", 90), ("test", 20)):
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True)
            for k in range(count):
                pixels = drawn.integers(0, 160, (40, 36, 3))
                pixels[..., label] += 90
                Image.fromarray(pixels.astype(np.uint8)).save(folder / split / name / f"{k}.png")
    return folder


@pytest.fixture(scope="module")
def trained(leaves):
    quick = EXPERIMENT.replace("epochs = 10", "epochs = 1").replace("epochs = 30", "epochs = 9")
    (leaves.parent / "leaves.toml").write_text(quick)
    result = train(
        leaves.parent / "leaves.toml", leaves.parent / "runs" / "leaves", leaves, quiet=True
    )
    torch.use_deterministic_algorithms(False)  # which a training asks for in its process
    return result


def test_the_page_names_the_files_and_folders_that_its_experiment_has():
    assert [line for line in SECTION.splitlines() if line.startswith("rbonn")] == [
        "rbonn train leaves.toml --data leaves",
        "rbonn lower runs/leaves/checkpoint.safetensors --data leaves -o leaves.safetensors",
        "rbonn plan leaves.safetensors --board icebreaker",
        "rbonn simulate leaves.safetensors --board icebreaker --images-from leaves/test/oak",
        "rbonn build leaves.safetensors --board icebreaker",
        "rbonn run leaves.safetensors --board icebreaker --dataset leaves --data leaves",
    ]


def test_a_network_is_trained_on_ones_own_pictures(trained):
    assert trained.held_out_images == 100
    assert trained.test_images == 60
    assert trained.test_accuracy > 0.8  # a third by chance


def test_it_is_lowered_and_knows_its_classes(trained, leaves):
    output = leaves.parent / "leaves.safetensors"
    agreement = export(trained.checkpoint, output, data=leaves)
    assert agreement is not None
    network = find_network(str(output))
    assert network.class_names == CLASSES
    assert network.metadata["dataset"] == "leaves"
    assert network.metadata["test_images"] == 60
    assert network.metadata["accuracy_float"] == pytest.approx(trained.test_accuracy)
    images = load_images(leaves / "test" / "oak", network)
    assert images.shape == (20, 32, 32, 3)
    one = load_images(leaves / "test" / "oak" / "0.png", network)
    assert any(np.array_equal(one[0], image) for image in images)


def test_its_checkpoint_alone_says_which_images_it_takes(trained):
    network, experiment = load_checkpoint(trained.checkpoint)
    assert (experiment.dataset, experiment.n_classes) == ("leaves", 3)
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3)


def test_it_does_not_go_on_with_other_pictures(trained, leaves):
    picture = leaves / "train" / "oak" / "0.png"
    before = picture.read_bytes()
    Image.new("RGB", (40, 36)).save(picture)
    try:
        with pytest.raises(CheckpointError, match="a training on other images") as caught:
            train(leaves.parent / "leaves.toml", trained.checkpoint.parent, leaves, resume=True, quiet=True)  # fmt: skip
        assert "began with" in caught.value.hint
    finally:
        picture.write_bytes(before)
        torch.use_deterministic_algorithms(False)
