"""`rbonn.sw.host.images`: picture files as raw input."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rbonn.sw.errors import InputFileError, UnsupportedLayerError
from rbonn.sw.host.images import polarity_hint, read_image
from rbonn.sw.network import INPUT, Bipolar, Dense, EdgeType, Int, Network, UInt


def network(height: int = 4, width: int = 6, channels: int = 1, datatype=None) -> Network:
    edge = EdgeType(datatype or UInt(8), (height, width, channels))
    weights = np.ones((2, edge.elements), np.int8)
    dense = Dense("scores", (INPUT,), weights, Bipolar())
    return Network("net", edge, (dense,), 0, "scores", ("a", "b"), {"dataset": "mnist"})


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (4, 6), np.uint8)


def saved(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.pgm", "a.tiff"])
def test_grey_pixels_come_as_they_are(tmp_path: Path, pixels: np.ndarray, name: str) -> None:
    image = read_image(saved(tmp_path / name, pixels), network())
    assert image.dtype == np.uint8
    assert image.shape == (4, 6, 1)
    assert (image[..., 0] == pixels).all()


def test_colour_is_kept_or_made_grey_as_the_network_wants(tmp_path: Path) -> None:
    colour = np.random.default_rng(2).integers(0, 256, (4, 6, 3), np.uint8)
    path = saved(tmp_path / "a.png", colour)
    assert (read_image(path, network(channels=3)) == colour).all()
    grey = read_image(path, network())[..., 0]
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - luma).max() <= 1
    assert (
        read_image(saved(tmp_path / "b.png", grey), network(channels=3)) == grey[..., None]
    ).all()


def test_transparency_is_dropped(tmp_path: Path, pixels: np.ndarray) -> None:
    alpha = Image.fromarray(np.full_like(pixels, 128))
    Image.merge("LA", [Image.fromarray(pixels), alpha]).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png", network())[..., 0] == pixels).all()


def test_a_cameras_rotation_mark_is_obeyed(tmp_path: Path, pixels: np.ndarray) -> None:
    turned = Image.fromarray(np.rot90(pixels))
    exif = turned.getexif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    turned.save(tmp_path / "a.png", exif=exif)
    assert (read_image(tmp_path / "a.png", network())[..., 0] == pixels).all()


def test_invert_gives_the_negative(tmp_path: Path, pixels: np.ndarray) -> None:
    image = read_image(saved(tmp_path / "a.png", pixels), network(), invert=True)
    assert (image[..., 0] == 255 - pixels).all()


def test_another_size_is_refused_unless_resizing_is_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.full((8, 12), 77, np.uint8))
    with pytest.raises(InputFileError, match="12 x 8 pixels, net takes 6 x 4"):
        read_image(path, network())
    assert (read_image(path, network(), resize=True) == np.full((4, 6, 1), 77)).all()


def test_what_is_no_picture_is_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    with pytest.raises(InputFileError, match="no such file"):
        read_image(tmp_path / "missing.png", network())
    with pytest.raises(InputFileError, match="no such file"):
        read_image(tmp_path, network())
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with pytest.raises(InputFileError, match="not a readable picture"):
        read_image(text, network())
    whole = saved(tmp_path / "whole.png", np.repeat(np.repeat(pixels, 50, 0), 50, 1)).read_bytes()
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputFileError, match="not a readable picture"):
        read_image(cut, network(), resize=True)
    Image.fromarray(pixels.astype(np.uint16) * 200).save(tmp_path / "deep.png")
    with pytest.raises(InputFileError, match="more than 8 bits"):
        read_image(tmp_path / "deep.png", network())


@pytest.mark.parametrize("other", [network(channels=2), network(datatype=Int(8))])
def test_a_network_that_takes_no_pictures_is_refused(tmp_path: Path, other: Network) -> None:
    with pytest.raises(UnsupportedLayerError, match="which no picture holds"):
        read_image(tmp_path / "a.png", other)


def test_a_picture_dark_on_light_is_noticed_for_mnist_only() -> None:
    light = np.full((4, 6, 1), 250, np.uint8)
    light[1:3, 2:4] = 0
    assert polarity_hint(light, network()) == "dark on light, MNIST is light on dark"
    assert polarity_hint(255 - light, network()) is None
    assert polarity_hint(light, replace(network(), metadata={"dataset": "cifar10"})) is None
    assert polarity_hint(light, replace(network(), metadata={})) is None
