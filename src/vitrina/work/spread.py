"""Map a function over items, in processes of this machine or on a Dask cluster; a worker that is killed loses nothing.

    for features in spread(describe_picture, paths, workers=4):
        ...

The function and its items are pickled: the function must stand in a module that workers can import.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from vitrina.errors import InputError, MissingError, StorageError, VitrinaError

logger = logging.getLogger(__name__)

ATTEMPTS = 3
"""How many workers one item may take down before it is given up."""

_AHEAD = 2
"""Items per worker that are handed out before the oldest result is taken."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[int, int | None], None]


def spread(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 1,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Iterator[Result]:
    """Results in the order of the items; only a few are in memory at a time.

    workers: processes here, or how many items the cluster is handed at a time at least.
    cluster: address of a Dask scheduler such as `tcp://host:8786`.
    progress: called with how many are done, and of how many when that is known.
    What the function raises is raised here. Raises VitrinaError when an item takes down `ATTEMPTS` workers,
    MissingError without `distributed`, StorageError when the cluster does not answer.
    """
    if workers < 1:
        raise InputError(f"workers: expected 1 or more, got {workers}")
    total = len(items) if isinstance(items, Sized) else None
    results = _on_cluster(function, items, cluster, workers) if cluster else _in_processes(function, items, workers)
    for done, result in enumerate(results, start=1):
        if progress is not None:
            progress(done, total)
        yield result


# ── processes ───────────────────────────────────────────────────────────────────────────────────


def _in_processes(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """A killed process breaks the whole pool: a new one is made, and what was under way is done again."""
    remaining = iter(items)
    pool = _pool(workers)
    under_way: deque[tuple[Item, Future[Result]]] = deque()
    try:
        while True:
            for item in itertools.islice(remaining, workers * _AHEAD - len(under_way)):
                under_way.append((item, _submit(pool, function, item)))
            if not under_way:
                return
            try:
                result = under_way[0][1].result()
            except BrokenProcessPool:
                logger.warning("a worker process died; %d items are done again", len(under_way))
                pool.shutdown(cancel_futures=True)
                yield from _one_by_one(function, [item for item, _ in under_way])
                under_way.clear()
                pool = _pool(workers)
                continue
            under_way.popleft()
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _one_by_one(function: Callable[[Item], Result], items: list[Item]) -> Iterator[Result]:
    """Each item alone in the pool, so that it is known which of them takes workers down."""
    pool = _pool(1)
    try:
        for item in items:
            for _ in range(ATTEMPTS):
                try:
                    result = _submit(pool, function, item).result()
                    break
                except BrokenProcessPool:
                    pool.shutdown(cancel_futures=True)
                    pool = _pool(1)
            else:
                raise _gave_up(item)
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, function: Callable[[Item], Result], item: Item) -> Future[Result]:
    try:
        return pool.submit(function, item)
    except BrokenProcessPool as error:
        broken: Future[Result] = Future()
        broken.set_exception(error)
        return broken


def _pool(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork would copy locks that threads hold
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next item for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


# ── a cluster ───────────────────────────────────────────────────────────────────────────────────


def _on_cluster(
    function: Callable[[Item], Result], items: Iterable[Item], address: str, workers: int
) -> Iterator[Result]:
    """Dask itself does the items of a killed worker again, and gives up on one that kills `ATTEMPTS` of them."""
    distributed = _distributed()
    remaining = iter(items)
    with _client(distributed, address) as client:
        ahead = max(workers, sum(client.nthreads().values())) * _AHEAD
        under_way: deque[tuple[Item, Any]] = deque()
        while True:
            for item in itertools.islice(remaining, ahead - len(under_way)):
                under_way.append((item, client.submit(function, item, pure=False)))
            if not under_way:
                return
            item, future = under_way.popleft()
            try:
                result = future.result()
            except distributed.KilledWorker as error:
                raise _gave_up(item) from error
            yield result


def _distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise MissingError('a cluster needs Dask: pip install "vitrina[cluster]"') from error
    return distributed


def _client(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise StorageError(f"cluster: no Dask scheduler answers at {address}; is it running?") from error


def _gave_up(item: object) -> VitrinaError:
    return VitrinaError(f"item {str(item)[:200]!r} took down {ATTEMPTS} workers; too little memory, or a crash in it")
