"""One behaviour for both ways of spreading; Dask's own cluster makes it slow."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from vitrina.errors import InputError, StorageError, VitrinaError
from vitrina.work.spread import spread

Spread = Callable[..., Iterator[Any]]

HERE = Path(__file__).parent


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    """Workers import `spreadable` as this process does."""
    sys.path.insert(0, str(HERE))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    yield
    sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def scheduler(importable: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Dask cluster: a scheduler and two worker processes on loopback, as an operator starts them."""
    pytest.importorskip("distributed", reason='Dask is not installed: pip install "vitrina[cluster]"')
    folder = tmp_path_factory.mktemp("dask")
    program = [sys.executable, str(HERE / "dask_cluster.py"), str(folder)]
    process = subprocess.Popen(program)
    address = folder / "address"
    deadline = time.monotonic() + 120
    while not address.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield address.read_text()
    process.terminate()
    process.wait(30)


@pytest.fixture(params=["processes", pytest.param("dask", marks=pytest.mark.slow)])
def spreading(request: pytest.FixtureRequest) -> Spread:
    if request.param == "processes":
        return functools.partial(spread, workers=2)
    return functools.partial(spread, workers=2, cluster=request.getfixturevalue("scheduler"))


def test_results_come_in_the_order_of_the_items(spreading: Spread) -> None:
    from spreadable import double, slow_when_early

    assert list(spreading(double, range(50))) == list(range(0, 100, 2))
    assert list(spreading(slow_when_early, range(6))) == list(range(6))
    assert list(spreading(double, [])) == []


def test_items_are_taken_as_they_are_needed(spreading: Spread) -> None:
    from spreadable import double

    taken: list[int] = []

    def endless() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    results = spreading(double, endless())
    assert list(islice(results, 3)) == [0, 2, 4]
    results.close()  # type: ignore[attr-defined]
    assert len(taken) < 20


def test_what_the_function_raises_is_raised_here(spreading: Spread) -> None:
    from spreadable import refuse_three

    results = spreading(refuse_three, range(10))
    assert list(islice(results, 3)) == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_progress_says_how_many_of_how_many(spreading: Spread) -> None:
    from spreadable import double

    said: list[tuple[int, int | None]] = []
    list(spreading(double, [1, 2, 3], progress=lambda done, total: said.append((done, total))))
    assert said == [(1, 3), (2, 3), (3, 3)]
    said.clear()
    list(spreading(double, iter([1, 2]), progress=lambda done, total: said.append((done, total))))
    assert said == [(1, None), (2, None)]


def test_a_worker_killed_in_mid_run_loses_nothing(spreading: Spread, tmp_path: Path) -> None:
    from spreadable import die_once

    assert list(spreading(die_once, [(number, str(tmp_path)) for number in range(12)])) == list(range(12))
    assert (tmp_path / "died").exists()


def test_an_item_that_takes_down_every_worker_is_given_up_by_name(spreading: Spread) -> None:
    from spreadable import always_die_on_two

    results = spreading(always_die_on_two, range(6))
    with pytest.raises(VitrinaError, match="item '2' took down 3 workers"):
        list(results)


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(importable: None, tmp_path: Path) -> None:
    code = (
        "from spreadable import tell_pid; from vitrina.work.spread import spread; import sys\n"
        "if __name__ == '__main__': list(spread(tell_pid, [sys.argv[1]] * 2, workers=2))"
    )
    program = tmp_path / "program.py"
    program.write_text(code)
    parent = subprocess.Popen([sys.executable, str(program), str(tmp_path)])
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*.pid"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "they outlive their parent"
        time.sleep(0.1)


def test_no_workers_are_refused() -> None:
    with pytest.raises(InputError, match="workers"):
        list(spread(abs, [1], workers=0))


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_said() -> None:
    with pytest.raises(StorageError, match="no Dask scheduler answers at tcp://127\\.0\\.0\\.1:9"):
        list(spread(abs, [1], cluster="tcp://127.0.0.1:9"))
