"""MNIST: the real files where they are at hand, and every way in which they can be wrong."""

import gzip
import hashlib
import io
import struct
import subprocess
import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from rbonn.sw.datasets import cache_folder, load_dataset, mnist, parse_idx, samples
from rbonn.sw.datasets.published_file import PublishedFile
from rbonn.sw.errors import DatasetError

UNPACK = Path(__file__).parents[4] / "shared" / "data" / "unpack.py"


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


ARRAYS = {
    "train-images-idx3-ubyte": np.arange(4 * 6).reshape(4, 3, 2),
    "train-labels-idx1-ubyte": np.array([3, 1, 4, 1]),
    "t10k-images-idx3-ubyte": np.arange(100, 112).reshape(2, 3, 2),
    "t10k-labels-idx1-ubyte": np.array([5, 9]),
}
CONTENTS = {name: idx(array) for name, array in ARRAYS.items()}


@pytest.fixture(autouse=True)
def _small_published_files(request, monkeypatch, tmp_path):
    """Four tiny files stand for the published ones, and the user's own folders are out of reach."""
    monkeypatch.delenv("RBONN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if "real" in request.fixturenames:
        return
    files = (PublishedFile(n, hashlib.sha256(c).hexdigest()) for n, c in CONTENTS.items())
    monkeypatch.setattr(mnist, "_FILES", tuple(files))


@pytest.fixture
def real(tmp_path):
    """The real MNIST in its official layout."""
    if not UNPACK.is_file():
        pytest.skip(f"no MNIST at hand: {UNPACK} does not exist")
    subprocess.run([sys.executable, UNPACK, tmp_path / "data", "mnist"], check=True)
    return tmp_path / "data"


def write_files(folder, *, compressed=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, contents in CONTENTS.items():
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(contents, mtime=0))
        else:
            (folder / name).write_bytes(contents)


def check(dataset):
    images, labels, test_images, test_labels = ARRAYS.values()
    assert np.array_equal(dataset.train.images, images[..., None])
    assert np.array_equal(dataset.train.labels, labels)
    assert np.array_equal(dataset.test.images, test_images[..., None])
    assert np.array_equal(dataset.test.labels, test_labels)
    assert dataset.train.images.dtype == dataset.train.labels.dtype == np.uint8
    assert dataset.train.images.flags.writeable


class Mirror:
    """Stands for `urllib.request.urlopen`: answers from a dictionary of file names, notes what was asked."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def __call__(self, address, timeout):
        assert 0 < timeout < 100
        self.asked.append(address)
        answer = self.answers[address.rsplit("/", 1)[1]]
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)


def published():
    return {f"{name}.gz": gzip.compress(contents, mtime=0) for name, contents in CONTENTS.items()}


def test_the_real_mnist_is_read_and_its_first_test_images_are_the_samples(real):
    dataset = load_dataset("mnist", real)
    assert dataset.train.images.shape == (60000, 28, 28, 1)
    assert dataset.test.images.shape == (10000, 28, 28, 1)
    assert np.bincount(dataset.test.labels).tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]
    shipped = samples("mnist")
    assert np.array_equal(shipped.images, dataset.test.images[:100])
    assert np.array_equal(shipped.labels, dataset.test.labels[:100])


@pytest.mark.parametrize("place", ["", "raw", "MNIST/raw", "mnist"])
@pytest.mark.parametrize("compressed", [True, False])
def test_files_are_found_in_the_usual_places(tmp_path, place, compressed):
    write_files(tmp_path / "data" / place, compressed=compressed)
    check(load_dataset("mnist", tmp_path / "data"))


def test_missing_files_are_named_with_their_checksums_and_the_way_to_give_them(tmp_path):
    write_files(tmp_path)
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / f"{name}.gz").unlink()
    with pytest.raises(DatasetError, match="no file t10k-images-idx3-ubyte") as caught:
        load_dataset("mnist", tmp_path)
    for file in mnist._FILES[2:]:
        assert file.name in caught.value.message
        assert f"{file.name} {file.sha256}" in caught.value.hint
    assert len(caught.value.message) < len(str(tmp_path)) + 100
    assert "train-images" not in caught.value.message
    assert "--data" in caught.value.hint
    assert "RBONN_DATA" in caught.value.hint


def test_a_folder_that_is_none_is_said_before_its_files(tmp_path):
    with pytest.raises(DatasetError, match="absent: no such folder") as caught:
        load_dataset("mnist", tmp_path / "absent")
    assert "--data" in caught.value.hint
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match="file: is a file, not a folder"):
        load_dataset("mnist", tmp_path / "file")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[:-20], "cannot be unpacked"),
        (lambda raw: b"not gzip" + raw, "cannot be unpacked"),
        (lambda raw: raw[:15] + b"\xff" * 5 + raw[20:], "cannot be unpacked"),
        (lambda raw: b"", "SHA-256"),
        (
            lambda raw: gzip.compress(gzip.decompress(raw)[:-1] + b"\7"),
            "SHA-256 of the contents is",
        ),
    ],
)
def test_a_damaged_file_is_named(tmp_path, damage, message):
    write_files(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset("mnist", tmp_path)
    assert str(path) in caught.value.message
    assert hashlib.sha256(CONTENTS[path.stem]).hexdigest() in caught.value.message
    if message == "cannot be unpacked":
        assert hashlib.sha256(path.read_bytes()).hexdigest() in caught.value.message
    assert "\n" not in caught.value.message + caught.value.hint


def test_files_are_downloaded_once_into_the_cache(monkeypatch):
    mirror = Mirror(published())
    monkeypatch.setattr("urllib.request.urlopen", mirror)
    check(load_dataset("mnist"))
    check(load_dataset("mnist"))
    assert len(mirror.asked) == 4
    assert all(address.startswith("https://") for address in mirror.asked)
    assert {p.name for p in cache_folder("mnist").iterdir()} == set(published())


def test_a_second_mirror_serves_where_the_first_is_wrong(monkeypatch):
    class FirstIsWrong(Mirror):
        def __call__(self, address, timeout):
            answer = super().__call__(address, timeout)
            first = address.startswith(mnist._MIRRORS[0])
            return io.BytesIO(gzip.compress(b"something else", mtime=0)) if first else answer

    mirror = FirstIsWrong(published())
    monkeypatch.setattr("urllib.request.urlopen", mirror)
    check(load_dataset("mnist"))
    assert len(mirror.asked) == 8


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (urllib.error.URLError("no route"), "no route"),
        (TimeoutError("timed out"), "timed out"),
        (b"<html>", "Not a gzipped file"),
        (gzip.compress(b"other", mtime=0), "SHA-256"),
    ],
)
def test_a_failed_download_names_the_file_and_leaves_nothing(monkeypatch, answer, message):
    mirror = Mirror(published() | {"train-labels-idx1-ubyte.gz": answer})
    monkeypatch.setattr("urllib.request.urlopen", mirror)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset("mnist")
    assert "train-labels-idx1-ubyte.gz cannot be downloaded" in caught.value.message
    assert "--data" in caught.value.hint
    assert [p.name for p in cache_folder("mnist").iterdir()] == ["train-images-idx3-ubyte.gz"]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"\0\0", "not an idx file"),
        (b"\0\0\x0d\1\0\0\0\0", "not an idx file of unsigned bytes"),
        (b"\0\0\x08\3\0\0", "truncated idx header"),
        (idx(np.arange(6))[:-1], r"5 bytes of values where \(6,\) is stated"),
        (idx(np.arange(6)) + b"!", r"7 bytes of values where \(6,\) is stated"),
    ],
)
def test_what_is_no_idx_file_is_refused(contents, message):
    with pytest.raises(ValueError, match=message):
        parse_idx(contents)
