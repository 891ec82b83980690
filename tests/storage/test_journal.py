"""Journal and replay against a real lake: workers are cut off anywhere, and every row is there once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vitrina.storage.journal import Journal
from vitrina.storage.lake import Lake
from vitrina.storage.replay import Replay
from vitrina.storage.table import TableSpec, column

TICKS = TableSpec(
    "ticks",
    pa.schema(
        [
            column("n", pa.int64(), "Number of the tick."),
            column("t", pa.timestamp("us", "UTC"), "When."),
            column("shop_id", pa.string(), "Shop."),
            column("business_day", pa.date32(), "Day."),
        ]
    ),
    "Ticks.",
)


def open_lake(home: Path) -> Lake:
    return Lake(home / "lake", tables={"ticks": TICKS})


def tick(n: int) -> dict[str, Any]:
    return {"n": n, "t": datetime(2026, 3, 2, tzinfo=UTC), "shop_id": "riga", "business_day": date(2026, 3, 2)}


def ticks_in(lake: Lake) -> list[int]:
    return sorted(lake.expr("ticks").n.to_pyarrow().to_pylist())


def test_rows_and_state_are_there_after_a_restart(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    journal = Journal(tmp_path / "journal", lake, writer_id="camera", commit_s=60)
    assert journal.restore() is None
    journal.note({"ticks": [tick(1), tick(2)]}, {"next": 3})
    journal.close()

    after = Journal(tmp_path / "journal", lake, writer_id="camera", commit_s=60)

    assert after.restore() == {"next": 3}
    assert ticks_in(lake) == [1, 2]
    after.note({"ticks": [tick(3)]}, {"next": 4})
    after.close()
    assert ticks_in(lake) == [1, 2, 3]


def test_an_entry_noted_during_a_commit_doubles_nothing(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    journal = Journal(tmp_path / "journal", lake, writer_id="camera", commit_s=60)
    journal.note({"ticks": [tick(1)]}, {"next": 2})
    lake.append("ticks", [tick(1)], writer_id="camera", batch_no=1)  # committed, then cut off before it was noticed
    journal.note({"ticks": [tick(2)]}, {"next": 3})

    journal.close()

    assert ticks_in(lake) == [1, 2]


def test_numbers_go_on_when_the_journal_was_emptied(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    lake.append("ticks", [tick(1)], writer_id="camera", batch_no=41)
    journal = Journal(tmp_path / "journal", lake, writer_id="camera", commit_s=60)

    journal.note({"ticks": [tick(2)]}, {})
    journal.close()

    assert ticks_in(lake) == [1, 2]


WORKER = """
import sys, itertools
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_journal import open_lake, tick, Journal
home = Path({home!r})
journal = Journal(home / "journal", open_lake(home), writer_id="camera", commit_s=0.02)
first = (journal.restore() or {{"next": 0}})["next"]
for n in itertools.count(first):
    journal.note({{"ticks": [tick(n)]}}, {{"next": n + 1}})
    print(n, flush=True)
"""


@pytest.mark.slow
def test_a_worker_killed_at_20_random_moments_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    program = WORKER.format(tests=str(Path(__file__).parent), home=str(tmp_path))
    for _ in range(20):
        worker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert worker.stdout is not None
        worker.stdout.readline()
        time.sleep(chance.uniform(0, 0.6))
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate()

    lake = open_lake(tmp_path)
    journal = Journal(tmp_path / "journal", lake, writer_id="camera", commit_s=60)
    state = journal.restore()
    journal.close()

    assert state is not None
    assert state["next"] > 20
    assert ticks_in(lake) == list(range(state["next"]))


def replay(lake: Lake) -> Replay:
    return Replay(lake, writer_id="file.1", commit_s=60, commit_rows=1000)


def test_a_source_that_is_read_twice_lands_once(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    for _ in range(2):
        again = replay(lake)
        for n in range(5):
            again.add({"ticks": [tick(n)]})
        again.commit()

    assert ticks_in(lake) == [0, 1, 2, 3, 4]
    assert again.skipped == 5


def test_a_source_that_was_cut_off_goes_on_where_the_lake_ends(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    cut = replay(lake)
    cut.add({"ticks": [tick(n) for n in range(3)]})
    cut.commit()
    cut.add({"ticks": [tick(3)]})  # never committed

    again = replay(lake)
    again.add({"ticks": [tick(n) for n in range(2)]})
    again.add({"ticks": [tick(n) for n in range(2, 6)]})
    again.commit()

    assert ticks_in(lake) == [0, 1, 2, 3, 4, 5]


def test_many_waiting_rows_are_committed_at_once(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    many = Replay(lake, writer_id="file.1", commit_s=60, commit_rows=10)

    many.add({"ticks": [tick(n) for n in range(10)]})

    assert ticks_in(lake) == list(range(10))
