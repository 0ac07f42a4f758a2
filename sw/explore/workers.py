"""Where the work of an exploration is done: in this process, in processes of this machine, or on a cluster.

Processes and clusters are Dask's (`dask.distributed`): a worker that dies is replaced, what it had to do is done by another one, and what
it had made and is still needed is made again. Work that takes down `MOST_DEATHS` workers is given up as a failure of its own.
"""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from ..build.process import terminable
from ..errors import BuildFailedError, DeviceError, ToolchainNotFoundError

if TYPE_CHECKING:
    from distributed import Client, Future

MOST_DEATHS = 3
"""Workers that may die of the same work before it is given up."""

CONNECT_SECONDS = 10


class Job(Protocol):
    """Work that was handed over."""

    def result(self) -> Any:
        """What it gave. Raises what it raised, and BuildFailedError where workers died of it."""
        ...


class Workers(Protocol):
    """Does work."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Job:
        """Hands over a call; an argument may be a job, whose result then takes its place."""
        ...

    def finished(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """The jobs, each when it is done, in any order."""
        ...


class HereJob:
    """A call that is made when it is first asked for."""

    def __init__(self, function: Callable[..., Any], arguments: Iterable[Any]) -> None:
        self._call: tuple[Callable[..., Any], list[Any]] | None = (function, list(arguments))
        self._result: Any = None
        self._error: Exception | None = None

    def make(self) -> None:
        """Makes the call, once."""
        if self._call is None:
            return
        (function, arguments), self._call = self._call, None
        try:
            self._result = function(
                *(a.result() if isinstance(a, HereJob) else a for a in arguments)
            )
        except Exception as error:  # kept for whoever asks
            self._error = error

    def result(self) -> Any:
        self.make()
        if self._error is not None:
            raise self._error
        return self._result


class Here:
    """One call after the other, in this process."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Job:
        return HereJob(function, arguments)

    def finished(self, jobs: Sequence[Job]) -> Iterator[Job]:
        for job in jobs:
            if isinstance(job, HereJob):
                job.make()
            yield job


class DaskJob:
    """A future of Dask."""

    def __init__(self, future: Future) -> None:
        self.future = future

    def result(self) -> Any:
        from distributed import KilledWorker

        try:
            return self.future.result()
        except KilledWorker as error:
            raise BuildFailedError(
                f"{MOST_DEATHS} workers died of the same work",
                "Look at their memory: give each more, or start fewer with '--jobs'.",
            ) from error


class OnDask:
    """On the workers of a Dask client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Job:
        futures = [a.future if isinstance(a, DaskJob) else a for a in arguments]
        return DaskJob(self.client.submit(function, *futures, pure=False))

    def finished(self, jobs: Sequence[Job]) -> Iterator[Job]:
        from distributed import as_completed

        by_key = {job.future.key: job for job in jobs if isinstance(job, DaskJob)}
        for future in as_completed([job.future for job in by_key.values()]):
            yield by_key[future.key]


@contextmanager
def open_workers(jobs: int, scheduler: str | None = None) -> Iterator[Workers]:
    """Workers for the time of the block; they and what they started end with it, a cluster stays.

    Parameters
    ----------
    jobs : int - processes on this machine; 1: this process
    scheduler : str or None - address of a Dask scheduler, e.g. ``tcp://host:8786``; its workers are used instead

    Raises
    ------
    ToolchainNotFoundError - Dask is needed and not installed
    DeviceError - no scheduler answers there, or its workers have another version of this program
    """
    if scheduler is None and jobs == 1:
        yield Here()
        return
    if find_spec("distributed") is None:
        raise ToolchainNotFoundError(
            "distributed is not installed, several processes are run by it",
            "Install it with: pip install 'rbonn[explore]'. Or do one after the other: '--jobs 1'.",
        )
    # What Dask tells of workers that come and go would go to this program's messages.
    logging.getLogger("distributed").propagate = False
    with terminable(), _cluster(scheduler) if scheduler else _processes(jobs) as client:
        yield OnDask(client)


@contextmanager
def _processes(jobs: int) -> Iterator[Client]:
    import dask.config
    from distributed import Client, LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": MOST_DEATHS - 1,
        # Elaboration and tools take what they need; the limits are for data that Dask itself keeps.
        "distributed.worker.memory.terminate": False,
    }
    options: dict[str, Any] = {
        "n_workers": jobs,
        "threads_per_worker": 1,
        "processes": True,
        "memory_limit": None,
        "dashboard_address": "127.0.0.1:0",  # any free port: several explorations may run at once
        "silence_logs": logging.CRITICAL,
    }
    with (
        dask.config.set(settings),
        LocalCluster(**options) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(_ends_children())
        yield client


@contextmanager
def _cluster(scheduler: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise DeviceError(
            f"{scheduler}: no Dask scheduler answers",
            "Start one with 'dask scheduler' and workers with 'dask worker ADDRESS', or leave out '--scheduler'.",
        ) from error
    with client:
        _check_versions(client, scheduler)
        yield client


def _check_versions(client: Client, scheduler: str) -> None:
    """Raises DeviceError where a worker cannot take this program's work."""
    here = _version()
    try:
        versions: dict[str, str] = client.run(_version)  # pyright: ignore[reportAssignmentType] - a coroutine only for asynchronous clients
    except Exception as error:
        raise DeviceError(
            f"{scheduler}: a worker cannot import rbonn ({error})",
            f"Install rbonn {here} where the workers run.",
        ) from error
    if not versions:
        raise DeviceError(
            f"{scheduler}: the scheduler has no workers", f"Start some: 'dask worker {scheduler}'."
        )
    for worker, version in versions.items():
        if version != here:
            raise DeviceError(
                f"{worker}: the worker has rbonn {version}, this is {here}",
                f"Install rbonn {here} where the workers run.",
            )


def is_wanted() -> bool:
    """Whether what the calling thread computes is still waited for; False in a worker whose work was taken back."""
    if "distributed" not in sys.modules:
        return True
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:  # not in a worker
        return True
    key = worker.get_current_task()
    task = worker.state.tasks.get(key)
    return task is not None and task.state != "cancelled"


def _version() -> str:
    return importlib.metadata.version("rbonn")


def _ends_children() -> Any:
    """A plugin that ends what a worker has started, when the worker itself is ended: tools are in sessions of their own, so that Ctrl-C does not reach them."""
    from distributed import WorkerPlugin

    class EndsChildren(WorkerPlugin):
        name = "rbonn-ends-children"

        def teardown(self, worker: Any) -> None:
            import psutil

            for child in psutil.Process().children(recursive=True):
                child.kill()

    return EndsChildren()
