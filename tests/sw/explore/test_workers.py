"""`rbonn.sw.explore.workers`: work in this process and on Dask's workers, some of which die."""

import logging
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from rbonn.sw.errors import BuildFailedError, DeviceError, DoesNotFitError, ToolchainNotFoundError
from rbonn.sw.explore.workers import Here, is_wanted, open_workers


def counted(folder: Path, name: str, value: int) -> int:
    """`value`; a file for each call."""
    (folder / f"{name}.{time.monotonic_ns()}").touch()
    return value


def total(folder: Path, *values: int) -> int:
    return counted(folder, "total", sum(values))


def dies_once(folder: Path, value: int) -> int:
    """Ends its process like the kernel does where memory is short; gives `value` when it is done again."""
    mark = folder / "died"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def dies(folder: Path) -> None:
    (folder / f"death.{time.monotonic_ns()}").touch()
    os.kill(os.getpid(), signal.SIGKILL)


def refuses() -> None:
    raise DoesNotFitError("too large", "make it smaller")


def test_here_work_is_done_once_and_when_it_is_asked_for(tmp_path: Path) -> None:
    workers = Here()
    one = workers.submit(counted, tmp_path, "one", 1)
    two = workers.submit(total, tmp_path, one, 5)
    assert list(tmp_path.iterdir()) == []
    assert [job.result() for job in workers.finished([two, one])] == [6, 1]
    assert two.result() == 6
    assert len(list(tmp_path.iterdir())) == 2


def test_here_what_work_raises_is_raised_where_its_result_is_asked_for() -> None:
    workers = Here()
    job = workers.submit(refuses)
    (finished,) = workers.finished([job])
    for _ in range(2):
        with pytest.raises(DoesNotFitError, match="too large"):
            finished.result()
    with pytest.raises(DoesNotFitError):
        workers.submit(total, job).result()


def test_work_of_this_process_is_always_wanted() -> None:
    assert is_wanted()


def test_one_job_needs_no_dask(monkeypatch) -> None:
    monkeypatch.setattr("rbonn.sw.explore.workers.find_spec", lambda name: None)
    with open_workers(1) as workers:
        assert isinstance(workers, Here)
    with pytest.raises(ToolchainNotFoundError, match="distributed is not installed"), open_workers(2):  # fmt: skip
        pass


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch) -> None:
    monkeypatch.setattr("rbonn.sw.explore.workers.CONNECT_SECONDS", 1)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        with (
            pytest.raises(DeviceError, match=f"{address}: no Dask scheduler answers"),
            open_workers(1, address),
        ):
            pass


@pytest.mark.slow
def test_work_of_a_worker_that_dies_is_done_by_another_one(tmp_path: Path) -> None:
    with open_workers(2) as workers:
        one = workers.submit(counted, tmp_path, "one", 1)
        two = workers.submit(dies_once, tmp_path, 2)
        both = workers.submit(total, tmp_path, one, two)
        refused = workers.submit(refuses)
        results = {}
        for job in workers.finished([both, refused]):
            try:
                results[job] = job.result()
            except DoesNotFitError as error:
                results[job] = error.hint
        assert results == {both: 3, refused: "make it smaller"}
    assert (tmp_path / "died").exists()


@pytest.mark.slow
def test_work_that_kills_worker_after_worker_is_given_up_and_the_rest_is_done(
    tmp_path: Path,
) -> None:
    with open_workers(2) as workers:
        deadly = workers.submit(dies, tmp_path)
        harmless = [workers.submit(counted, tmp_path, "one", value) for value in range(4)]
        with pytest.raises(BuildFailedError, match="3 workers died of the same work"):
            deadly.result()
        assert [job.result() for job in harmless] == [0, 1, 2, 3]
    assert len(list(tmp_path.glob("death.*"))) == 3


def until_unwanted(folder: Path) -> None:
    """Says when it has started and when its result is no longer waited for."""
    (folder / "started").touch()
    end = time.monotonic() + 30
    while is_wanted() and time.monotonic() < end:
        time.sleep(0.05)
    (folder / ("late" if time.monotonic() >= end else "unwanted")).touch()


def appears(path: Path) -> bool:
    end = time.monotonic() + 30
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return path.exists()


@pytest.fixture
def cluster():
    """A scheduler and a worker that belong to nobody in particular."""
    from distributed import LocalCluster

    options = {"n_workers": 1, "threads_per_worker": 1, "memory_limit": None}
    with LocalCluster(
        **options, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
    ) as cluster:
        yield cluster


@pytest.mark.slow
def test_the_workers_of_a_cluster_do_the_work_and_stay(cluster, tmp_path: Path) -> None:
    with open_workers(1, cluster.scheduler_address) as workers:
        one = workers.submit(counted, tmp_path, "one", 1)
        assert workers.submit(total, tmp_path, one, 2).result() == 3
    with open_workers(1, cluster.scheduler_address) as workers:
        assert workers.submit(os.getpid).result() != os.getpid()


@pytest.mark.slow
def test_work_on_a_cluster_ends_when_it_is_taken_back(cluster, tmp_path: Path) -> None:
    with open_workers(1, cluster.scheduler_address) as workers:
        job = workers.submit(until_unwanted, tmp_path)
        assert appears(tmp_path / "started")
        assert not (tmp_path / "unwanted").exists()
    del job
    assert appears(tmp_path / "unwanted")


@pytest.mark.slow
def test_a_cluster_with_another_version_is_refused(cluster, monkeypatch) -> None:
    monkeypatch.setattr("rbonn.sw.explore.workers.importlib.metadata.version", lambda name: "0.0")
    with (
        pytest.raises(DeviceError, match=r"the worker has rbonn .*, this is 0\.0"),
        open_workers(1, cluster.scheduler_address),
    ):
        pass


def started_tool(folder: Path) -> None:
    """A tool in a session of its own, as `run_tool` starts them, that nobody waits for any more."""
    tool = subprocess.Popen(["sleep", "60"], start_new_session=True)
    (folder / str(tool.pid)).touch()
    time.sleep(60)


@pytest.mark.slow
def test_what_workers_of_this_machine_have_started_ends_with_them(tmp_path: Path) -> None:
    with open_workers(2) as workers:
        job = workers.submit(started_tool, tmp_path)
        while not list(tmp_path.iterdir()):
            time.sleep(0.05)
    del job
    (pid,) = (int(path.name) for path in tmp_path.iterdir())
    end = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
