import multiprocessing
import os
import time
from pathlib import Path

import pytest
from rbonn.sw.build.cache import BuildCache, cache_folder, file_digest, key_of, locked


def files(folder: Path, **contents: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in contents.items():
        path = folder / name
        path.write_text(text)
        paths.append(path)
    return paths


def fetched(cache: BuildCache, key: str, folder: Path) -> dict[str, str] | None:
    folder.mkdir()
    if not cache.fetch(key, folder):
        return None
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_what_is_stored_is_fetched(tmp_path: Path):
    cache = BuildCache(tmp_path / "cache")
    assert fetched(cache, "key", tmp_path / "a") is None
    cache.store("key", files(tmp_path / "b", netlist="n", bitstream="b"))
    assert fetched(cache, "key", tmp_path / "c") == {"netlist": "n", "bitstream": "b"}
    assert fetched(cache, "other", tmp_path / "d") is None


def test_a_key_depends_on_every_part_and_on_where_parts_end():
    assert key_of(["ab", "c"]) == key_of(["ab", "c"])
    assert len({key_of(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["c", "ab"])}) == 4


@pytest.mark.parametrize("damage", ["change", "remove", "manifest", "manifest type"])
def test_a_damaged_entry_is_a_miss_and_is_replaced(tmp_path: Path, damage: str):
    cache = BuildCache(tmp_path / "cache")
    cache.store("key", files(tmp_path / "a", bitstream="good"))
    entry = tmp_path / "cache" / "key"
    if damage == "change":
        (entry / "bitstream").write_text("bad")
    elif damage == "remove":
        (entry / "bitstream").unlink()
    else:
        (entry / "manifest.json").write_text("{" if damage == "manifest" else "[]")
    assert fetched(cache, "key", tmp_path / "b") is None
    cache.store("key", files(tmp_path / "c", bitstream="again"))
    assert fetched(cache, "key", tmp_path / "d") == {"bitstream": "again"}


def test_a_healthy_entry_stays_when_it_is_stored_again(tmp_path: Path):
    cache = BuildCache(tmp_path / "cache")
    cache.store("key", files(tmp_path / "a", bitstream="first"))
    cache.store("key", files(tmp_path / "b", bitstream="second"))
    assert fetched(cache, "key", tmp_path / "c") == {"bitstream": "first"}


def test_the_entries_used_longest_ago_go_first(tmp_path: Path):
    cache = BuildCache(tmp_path / "cache", limit_bytes=1_000_000)
    names = "hbgfaedc"
    for age, name in enumerate(names):
        cache.store(name, files(tmp_path / name, data=name * 1_000))
        os.utime(tmp_path / "cache" / name, (1_000 + age, 1_000 + age))
    assert fetched(cache, "h", tmp_path / "use") == {"data": "h" * 1_000}
    cache = BuildCache(tmp_path / "cache", limit_bytes=4_600)  # manifests have some 80 bytes
    cache.store("new", files(tmp_path / "new", data="n" * 1_000))
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"d", "c", "h", "new"}


def test_what_a_killed_process_left_is_removed_after_an_hour(tmp_path: Path):
    cache = BuildCache(tmp_path / "cache")
    for name, age in ((".old", 4_000), (".young", 10)):
        files(tmp_path / "cache" / name, data="x")
        then = time.time() - age
        os.utime(tmp_path / "cache" / name, (then, then))
    cache.store("key", files(tmp_path / "a", data="x"))
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [".young", "key"]


def test_a_folder_that_cannot_be_written_stores_nothing_and_does_not_fail(tmp_path: Path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = BuildCache(tmp_path / "cache")
    cache.store("key", files(tmp_path / "a", data="x"))
    assert fetched(cache, "key", tmp_path / "b") is None


def test_the_folder_is_that_of_the_variable_or_the_users_cache(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("RBONN_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("RBONN_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "rbonn"


def _store_and_fetch(folder: Path, number: int) -> None:
    cache = BuildCache(folder / "cache", limit_bytes=30_000)
    for round_ in range(20):
        key = f"key{round_ % 5}"
        text = key * 1_000
        source = files(folder / f"{number}-{round_}", first=text, second=text)
        cache.store(key, source)
        target = folder / f"{number}-{round_}-out"
        target.mkdir()
        if cache.fetch(key, target):
            assert (target / "first").read_text() == text
            assert (target / "second").read_text() == text


def test_processes_that_share_a_cache_never_see_half_an_entry(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_store_and_fetch, args=(tmp_path, number)) for number in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]


def _count_up(folder: Path) -> None:
    for _ in range(50):
        with locked(folder / "lock"):
            counter = folder / "counter"
            counter.write_text(str(int(counter.read_text()) + 1))


def test_the_lock_lets_one_process_in_at_a_time(tmp_path: Path):
    (tmp_path / "counter").write_text("0")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_count_up, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert (tmp_path / "counter").read_text() == "100"


def test_the_digest_of_a_file_is_sha_256(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
