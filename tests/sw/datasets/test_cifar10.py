"""CIFAR-10: the real files where they are at hand, and every way in which they, or the archive they come in, can be wrong."""

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from rbonn.sw.datasets import cache_folder, cifar10, load_dataset, samples
from rbonn.sw.datasets.published_file import PublishedFile
from rbonn.sw.errors import DatasetError, OutputError

UNPACK = Path(__file__).parents[4] / "shared" / "data" / "unpack.py"
FOLDER = "cifar-10-batches-bin"
ARCHIVE = "cifar-10-binary.tar.gz"
NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
N_SMALL, N_SHORT = 3, 2

# Drawn pixels in the form they are read in; the records are written value by value below.
GENERATOR = np.random.default_rng(10)
IMAGES = GENERATOR.integers(0, 256, (6, N_SMALL, 32, 32, 3), np.uint8)
LABELS = GENERATOR.integers(0, 10, (6, N_SMALL), np.uint8)


def records(images, labels):
    """The bytes of a file: label, red plane, green plane, blue plane for each image."""
    return b"".join(
        bytes([label]) + b"".join(image[:, :, channel].tobytes() for channel in range(3))
        for image, label in zip(images, labels.tolist(), strict=True)
    )


CONTENTS = {name: records(IMAGES[i], LABELS[i]) for i, name in enumerate(NAMES)}
SHORT = CONTENTS["test_batch.bin"][: N_SHORT * 3073]


def sha256(contents):
    return hashlib.sha256(contents).hexdigest()


def archive_of(contents, *, more=()):
    """A tar.gz with `contents` by name in the published folder, and further (TarInfo, bytes)."""
    members = [(tarfile.TarInfo(f"{FOLDER}/{name}"), data) for name, data in contents.items()]
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for info, data in (*more, *members):
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)


@pytest.fixture(autouse=True)
def _small_published_files(request, monkeypatch, tmp_path):
    """Six files of three images stand for the published ones, and the user's own folders are out of reach."""
    monkeypatch.delenv("RBONN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if "real" in request.fixturenames:
        return
    files = [PublishedFile(name, sha256(contents)) for name, contents in CONTENTS.items()]
    monkeypatch.setattr(cifar10, "_TRAIN", tuple(files[:5]))
    monkeypatch.setattr(cifar10, "_TEST", files[5])
    monkeypatch.setattr(cifar10, "_FIRST_1000_TEST_SHA256", sha256(SHORT))
    monkeypatch.setattr(cifar10, "_BATCH_IMAGES", N_SMALL)
    publish(monkeypatch, archive_of(CONTENTS))


def publish(monkeypatch, archive):
    """Lets `archive` be the published one."""
    monkeypatch.setattr(cifar10, "_ARCHIVE", PublishedFile(ARCHIVE, sha256(archive)))


@pytest.fixture
def real(tmp_path):
    """The real CIFAR-10 in its official layout, the test file with its first 1 000 images."""
    if not UNPACK.is_file():
        pytest.skip(f"no CIFAR-10 at hand: {UNPACK} does not exist")
    subprocess.run(
        [sys.executable, UNPACK, tmp_path / "data", "cifar10"], check=True, capture_output=True
    )
    return tmp_path / "data"


@pytest.fixture
def server(monkeypatch):
    """Stands for the network: `server.answer` is what it gives, `server.asked` the addresses."""

    class Server:
        def __init__(self):
            self.answer = archive_of(CONTENTS)
            self.asked = []

        def __call__(self, address, timeout):
            assert 0 < timeout < 100
            self.asked.append(address)
            if isinstance(self.answer, Exception):
                raise self.answer
            return io.BytesIO(self.answer)

    server = Server()
    monkeypatch.setattr("urllib.request.urlopen", server)
    return server


def write_files(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, contents in CONTENTS.items():
        (folder / name).write_bytes(contents)
    return folder


def check(dataset):
    assert np.array_equal(dataset.train.images, IMAGES[:5].reshape(-1, 32, 32, 3))
    assert np.array_equal(dataset.train.labels, LABELS[:5].reshape(-1))
    assert np.array_equal(dataset.test.images, IMAGES[5])
    assert np.array_equal(dataset.test.labels, LABELS[5])
    for split in (dataset.train, dataset.test):
        assert split.images.dtype == split.labels.dtype == np.uint8
        assert split.images.flags.writeable
        assert split.images.flags.c_contiguous


def test_the_real_cifar10_has_the_images_that_everybody_has(real, caplog):
    dataset = load_dataset("cifar10", real)
    assert dataset.train.images.shape == (50_000, 32, 32, 3)
    assert np.bincount(dataset.train.labels).tolist() == [5000] * 10
    means = dataset.train.images.mean((0, 1, 2)).round(1).tolist()
    assert means == [125.3, 123.0, 113.9]  # as the literature normalises
    assert [dataset.class_names[i] for i in dataset.train.labels[:3]] == ["frog", "truck", "truck"]
    assert dataset.train.images[0, 0, 0].tolist() == [59, 62, 63]
    assert dataset.test.images.shape == (1000, 32, 32, 3)
    assert "test_batch.bin: only the first 1 000 of the 10 000 test images" in caplog.text
    shipped = samples("cifar10")
    assert np.array_equal(shipped.images, dataset.test.images[:50])
    assert np.array_equal(shipped.labels, dataset.test.labels[:50])


@pytest.mark.parametrize("place", ["", FOLDER, "cifar10", f"cifar10/{FOLDER}"])
def test_files_are_found_in_the_usual_places(tmp_path, place, caplog):
    write_files(tmp_path / "data" / place)
    check(load_dataset("cifar10", tmp_path / "data"))
    assert not caplog.records


def test_a_test_file_with_only_its_first_images_is_taken_and_said(tmp_path, caplog):
    path = write_files(tmp_path) / "test_batch.bin"
    path.write_bytes(SHORT)
    test = load_dataset("cifar10", tmp_path).test
    assert np.array_equal(test.images, IMAGES[5, :N_SHORT])
    assert np.array_equal(test.labels, LABELS[5, :N_SHORT])
    assert str(path) in caplog.text


def test_missing_files_are_named_with_their_checksums_and_the_way_to_give_them(tmp_path):
    write_files(tmp_path)
    for name in NAMES[1:3]:
        (tmp_path / name).unlink()
    with pytest.raises(DatasetError, match=r"no file data_batch_2\.bin") as caught:
        load_dataset("cifar10", tmp_path)
    for name in NAMES[1:3]:
        assert name in caught.value.message
        assert f"{name} {sha256(CONTENTS[name])}" in caught.value.hint
    assert "data_batch_1" not in caught.value.message
    assert "--data" in caught.value.hint
    assert "RBONN_DATA" in caught.value.hint


def test_an_archive_that_is_not_unpacked_gets_that_hint(tmp_path):
    (tmp_path / ARCHIVE).write_bytes(archive_of(CONTENTS))
    with pytest.raises(DatasetError, match=r"no file data_batch_1\.bin") as caught:
        load_dataset("cifar10", tmp_path)
    assert caught.value.hint == f"Unpack {ARCHIVE} there."
    assert [path.name for path in tmp_path.iterdir()] == [ARCHIVE]


@pytest.mark.parametrize("name", ["data_batch_1.bin", "data_batch_5.bin", "test_batch.bin"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda contents: b"",
        lambda contents: contents[:-1],
        lambda contents: contents[: len(contents) // 3],
        lambda contents: contents + contents[:3073],
        lambda contents: contents[:100] + bytes([contents[100] ^ 1]) + contents[101:],
    ],
    ids=["empty", "a byte short", "one image", "an image more", "a bit flipped"],
)
def test_a_damaged_file_is_named_with_both_checksums(tmp_path, name, damage):
    path = write_files(tmp_path) / name
    contents = damage(path.read_bytes())
    path.write_bytes(contents)
    with pytest.raises(DatasetError, match="SHA-256 of the contents is") as caught:
        load_dataset("cifar10", tmp_path)
    assert str(path) in caught.value.message
    assert sha256(contents) in caught.value.message
    assert sha256(CONTENTS[name]) in caught.value.message
    assert "\n" not in caught.value.message + caught.value.hint


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    write_files(tmp_path)

    def fail(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(DatasetError, match=r"data_batch_1\.bin: cannot be read .*Input/output"):
        load_dataset("cifar10", tmp_path)


def test_the_archive_is_downloaded_once_and_its_files_kept(server):
    check(load_dataset("cifar10"))
    check(load_dataset("cifar10"))
    assert server.asked == [f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"]
    assert sorted(path.name for path in cache_folder("cifar10").iterdir()) == NAMES


def test_an_archive_in_the_cache_is_unpacked_without_a_download(server):
    folder = cache_folder("cifar10")
    folder.mkdir(parents=True)
    (folder / ARCHIVE).write_bytes(archive_of(CONTENTS))
    check(load_dataset("cifar10"))
    assert not server.asked
    assert {path.name for path in folder.iterdir()} == {*NAMES, ARCHIVE}


def test_a_damaged_archive_in_the_cache_is_named_with_both_checksums(server):
    folder = cache_folder("cifar10")
    folder.mkdir(parents=True)
    (folder / ARCHIVE).write_bytes(b"cut off")
    with pytest.raises(DatasetError, match="SHA-256 of the contents is") as caught:
        load_dataset("cifar10")
    assert str(folder / ARCHIVE) in caught.value.message
    assert sha256(b"cut off") in caught.value.message
    assert not server.asked


def test_only_the_known_files_leave_an_archive(server, monkeypatch, tmp_path):
    link = tarfile.TarInfo(f"{FOLDER}/link")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    outside = tmp_path / "outside"
    more = [
        (tarfile.TarInfo("../../outside"), b"up"),
        (tarfile.TarInfo(str(outside)), b"absolute"),
        (link, b""),
        (tarfile.TarInfo(f"{FOLDER}/link/outside"), b"through the link"),
        (tarfile.TarInfo(f"{FOLDER}/readme.html"), b"readme"),
    ]
    server.answer = archive_of(CONTENTS, more=more)
    publish(monkeypatch, server.answer)
    check(load_dataset("cifar10"))
    written = {path.name for path in tmp_path.rglob("*") if not path.is_dir()}
    assert written == set(NAMES)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (urllib.error.URLError("no route"), "cannot be downloaded .*no route"),
        (TimeoutError("timed out"), "cannot be downloaded .*timed out"),
        (b"<html>", "cannot be downloaded .*SHA-256 is"),
        (archive_of(CONTENTS)[:-9], "cannot be downloaded .*SHA-256 is"),
    ],
)
def test_a_failed_download_names_the_archive_and_leaves_nothing(server, answer, message):
    server.answer = answer
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset("cifar10")
    assert ARCHIVE in caught.value.message
    assert not list(cache_folder("cifar10").iterdir())


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"not gzip", "cannot be read"),
        (gzip.compress(b"not tar", mtime=0), "cannot be read"),
        (archive_of(CONTENTS)[:20_000], "cannot be read"),
        (archive_of(CONTENTS)[:10] + b"\xff" * 600, "cannot be read"),
        (archive_of(CONTENTS | {"data_batch_1.bin": b""}), r"data_batch_1\.bin: SHA-256"),
        (archive_of({"data_batch_1.bin": b""}), r"data_batch_1\.bin: SHA-256"),
        (archive_of({}), "cannot be read .*data_batch_1"),
    ],
)
def test_an_archive_with_something_else_in_it_is_refused(server, monkeypatch, archive, message):
    publish(monkeypatch, archive)  # not even then
    server.answer = archive
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset("cifar10")
    assert "\n" not in caught.value.message + caught.value.hint
    left = {path.name: path.read_bytes() for path in cache_folder("cifar10").iterdir()}
    assert left.items() <= CONTENTS.items()


def test_a_cache_that_cannot_be_written_is_an_output_error(server):
    folder = cache_folder("cifar10")
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"")
    with pytest.raises(OutputError, match="cifar10: cannot be written"):
        load_dataset("cifar10")
    assert not server.asked
