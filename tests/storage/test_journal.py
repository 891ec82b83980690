"""Journal and replay against a real lake: workers are cut off anywhere, and every row is there once."""

from __future__ import annotations

import json
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

from vitrina.errors import ConflictError, InputError, StorageError
from vitrina.storage.journal import Journal, recover_journals
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


TOCKS = TableSpec("tocks", TICKS.schema, "Tocks.")


def open_lake(home: Path) -> Lake:
    return Lake(home / "lake", tables={"ticks": TICKS, "tocks": TOCKS})


def open_journal(home: Path, lake: Lake, *, commit_s: float = 60, commit_rows: int = 5000) -> Journal:
    return Journal(home / "journal", lake, writer_id="camera", commit_s=commit_s, commit_rows=commit_rows)


def tick(n: int) -> dict[str, Any]:
    return {"n": n, "t": datetime(2026, 3, 2, tzinfo=UTC), "shop_id": "riga", "business_day": date(2026, 3, 2)}


def ticks_in(lake: Lake, table: str = "ticks") -> list[int]:
    return sorted(lake.expr(table).n.to_pyarrow().to_pylist())


def wait_for_ticks(lake: Lake, expected: list[int]) -> None:
    until = time.monotonic() + 60
    while ticks_in(lake) != expected and time.monotonic() < until:
        time.sleep(0.05)
    assert ticks_in(lake) == expected


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


def test_numbers_go_on_from_the_lake_when_older_entries_are_left(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    first = open_journal(tmp_path, lake)
    first.note({"ticks": [tick(1)]}, {})
    first.close()
    lake.append("tocks", [tick(2)], writer_id="camera", batch_no=41)

    journal = open_journal(tmp_path, lake)
    journal.note({"ticks": [tick(3)], "tocks": [tick(3)]}, {})
    journal.close()

    assert ticks_in(lake) == [1, 3]
    assert ticks_in(lake, "tocks") == [2, 3]


def test_a_second_worker_is_turned_away_until_the_first_has_closed(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    journal = open_journal(tmp_path, lake)
    with pytest.raises(ConflictError, match="another process is watching this camera now"):
        open_journal(tmp_path, lake)

    journal.close()
    journal.close()

    open_journal(tmp_path, lake).close()
    with pytest.raises(StorageError, match="closed"):
        journal.note({"ticks": [tick(1)]}, {})


def test_a_journal_that_did_not_open_locks_nobody_out(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    with pytest.raises(InputError) as kept:  # the traceback holds the journal
        Journal(tmp_path / "journal", lake, writer_id="not an id", commit_s=60)

    open_journal(tmp_path, lake).close()
    assert "not an id" in str(kept.value)


def test_rows_that_cannot_be_committed_at_the_end_wait_for_the_next_worker(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, StumblingLake(tmp_path, times=1))
    journal.note({"ticks": [tick(1)]}, {"next": 2})
    with pytest.raises(RuntimeError):
        journal.close()

    lake = open_lake(tmp_path)
    open_journal(tmp_path, lake).close()

    assert ticks_in(lake) == [1]


def test_committed_rows_leave_the_disk_and_the_state_stays(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    journal = open_journal(tmp_path, lake)
    journal.note({"ticks": [tick(1)]}, {"next": 2})
    journal.note({"ticks": [tick(2)]}, {"next": 3})

    journal.commit()

    (entry,) = (tmp_path / "journal").glob("*.json")
    assert json.loads(entry.read_bytes()) == {"state": {"next": 3}, "rows": {}}
    journal.note({"ticks": [tick(3)]}, {"next": 4})
    journal.close()
    assert ticks_in(lake) == [1, 2, 3]


def test_what_a_killed_worker_had_half_written_leaves_the_disk(tmp_path: Path) -> None:
    draft = tmp_path / "journal" / "000000000007.draft"
    draft.parent.mkdir()
    draft.write_text('{"state": ')

    journal = open_journal(tmp_path, open_lake(tmp_path))

    assert not draft.exists()
    assert journal.restore() is None
    journal.close()


def test_many_noted_rows_are_committed_before_their_time(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    journal = open_journal(tmp_path, lake, commit_s=600, commit_rows=4)

    journal.note({"ticks": [tick(1), tick(2)]}, {})
    journal.note({"ticks": [tick(3)], "tocks": [tick(3)]}, {})

    wait_for_ticks(lake, [1, 2, 3])
    journal.close()


class StumblingLake(Lake):
    """Fails the first `times` appends, in a way that nobody thought of."""

    def __init__(self, home: Path, *, times: int, ticks: TableSpec = TICKS) -> None:
        super().__init__(home / "lake", tables={"ticks": ticks, "tocks": TOCKS})
        self.times = times

    def append(self, *args: Any, **options: Any) -> None:
        self.times -= 1
        if self.times >= 0:
            raise RuntimeError("the disk is out for lunch")
        super().append(*args, **options)


def test_a_commit_that_fails_in_any_way_is_logged_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = StumblingLake(tmp_path, times=2)
    journal = open_journal(tmp_path, lake, commit_s=0.05)

    journal.note({"ticks": [tick(1)]}, {})

    wait_for_ticks(lake, [1])
    journal.close()
    assert caplog.text.count("RuntimeError: the disk is out for lunch") == 2


@pytest.mark.parametrize("content", ["", '{"state": {"ne', "[]", "{}", '{"state": {}, "rows": {"ticks": "no rows"}}'])
def test_a_damaged_entry_is_named_and_set_aside_at_the_next_start(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    lake = open_lake(tmp_path)
    journal = open_journal(tmp_path, lake)
    journal.note({"ticks": [tick(1)]}, {"next": 2})
    journal.note({"ticks": [tick(2)]}, {"next": 3})
    damaged = tmp_path / "journal" / "000000000002.json"
    damaged.write_text(content)

    with pytest.raises(StorageError, match=r"000000000002\.json: .*goes on from the entry before"):
        journal.restore()
    with pytest.raises(StorageError, match=r"000000000002\.json"):
        journal.close()

    after = open_journal(tmp_path, lake)
    assert after.restore() == {"next": 2}
    assert "set aside as 000000000002.damaged" in caplog.text
    assert damaged.with_suffix(".damaged").read_text() == content
    after.close()
    assert ticks_in(lake) == [1]


LATER = TableSpec("ticks", pa.schema([*TICKS.schema, column("loud", pa.bool_(), "Heard.")]), "Ticks.")


def later_lake(home: Path) -> Lake:
    """As a version has it whose ticks have one more column."""
    return Lake(home / "lake", tables={"ticks": LATER, "tocks": TOCKS})


def rows_aside(folder: Path) -> dict[str, list[int]]:
    files = sorted(folder.glob("*.refused"))
    return {path.name: pa.ipc.open_stream(path.read_bytes()).read_all()["n"].to_pylist() for path in files}


def left_by_an_older_version(home: Path) -> None:
    """One of its workers noted two entries and was killed."""
    journal = open_journal(home, StumblingLake(home, times=1))
    journal.note({"ticks": [tick(1), tick(2)], "tocks": [tick(1)]}, {"next": 3})
    journal.note({"tocks": [tick(3)]}, {"next": 4})
    with pytest.raises(RuntimeError):
        journal.close()


def test_rows_that_a_later_table_refuses_are_set_aside_and_hold_up_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left_by_an_older_version(tmp_path)
    lake = later_lake(tmp_path)

    journal = open_journal(tmp_path, lake)
    assert journal.restore() == {"next": 4}
    journal.note({"ticks": [tick(4) | {"loud": True}]}, {"next": 5})
    journal.close()

    assert (ticks_in(lake), ticks_in(lake, "tocks")) == ([4], [1, 3])
    assert rows_aside(tmp_path / "journal") == {"000000000001.ticks.refused": [1, 2]}
    assert "2 rows that the lake refuses are kept in" in caplog.text
    assert "wrong columns (missing: loud)" in caplog.text
    assert [path.name for path in (tmp_path / "journal").glob("*.json")] == ["000000000003.json"]


def test_rows_of_a_table_that_is_no_more_are_set_aside(tmp_path: Path) -> None:
    left_by_an_older_version(tmp_path)
    lake = Lake(tmp_path / "lake", tables={"ticks": TICKS})

    open_journal(tmp_path, lake).close()

    assert ticks_in(lake) == [1, 2]
    assert rows_aside(tmp_path / "journal") == {"000000000001.tocks.refused": [1], "000000000002.tocks.refused": [3]}


def test_rows_that_were_set_aside_are_there_once_when_the_commit_is_cut_off_after_it(tmp_path: Path) -> None:
    left_by_an_older_version(tmp_path)
    with pytest.raises(RuntimeError):
        open_journal(tmp_path, StumblingLake(tmp_path, times=1, ticks=LATER)).close()

    before = open_lake(tmp_path)  # the version of before, which would take them
    open_journal(tmp_path, before).close()

    assert (ticks_in(before), ticks_in(before, "tocks")) == ([], [1, 3])
    assert rows_aside(tmp_path / "journal") == {"000000000001.ticks.refused": [1, 2]}


def test_nothing_takes_the_place_of_what_a_removed_camera_left_aside(tmp_path: Path) -> None:
    leave_behind(tmp_path, "door", 1)
    lake, folder = later_lake(tmp_path), tmp_path / "journal/riga/door"

    assert recover_journals(tmp_path / "journal", lake, keep=()) == 0
    assert [path.name for path in folder.iterdir()] == ["000000000001.ticks.refused"]
    again = Journal(folder, lake, writer_id="camera.riga.door", commit_s=60)
    assert again.restore() is None
    again.note({"ticks": [tick(9) | {"loud": False}]}, {"next": 10})
    again.close()

    assert ticks_in(lake) == [9]
    assert rows_aside(folder) == {"000000000001.ticks.refused": [1]}


def leave_behind(home: Path, camera: str, n: int) -> None:
    """A worker of this camera noted a tick and was killed."""
    folder = home / "journal" / "riga" / camera
    journal = Journal(folder, StumblingLake(home, times=1), writer_id=f"camera.riga.{camera}", commit_s=60)
    journal.note({"ticks": [tick(n)]}, {"next": n + 1})
    with pytest.raises(RuntimeError):
        journal.close()


def test_what_cameras_left_behind_is_committed_and_removed_ones_leave_nothing(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    leave_behind(tmp_path, "door", 1)
    leave_behind(tmp_path, "till", 2)
    home = tmp_path / "journal"

    assert recover_journals(home, lake, keep={("riga", "door")}) == 2
    assert recover_journals(home, lake, keep={("riga", "door")}) == 0

    assert ticks_in(lake) == [1, 2]
    assert [path.name for path in (home / "riga").iterdir()] == ["door"]
    door = Journal(home / "riga" / "door", lake, writer_id="camera.riga.door", commit_s=60)
    assert door.restore() == {"next": 2}
    door.close()
    assert recover_journals(home, lake, keep=()) == 0
    assert list(home.iterdir()) == []
    assert ticks_in(lake) == [1, 2]


def test_a_camera_that_is_being_watched_is_not_recovered(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    journal = Journal(tmp_path / "journal/riga/door", lake, writer_id="camera.riga.door", commit_s=60)
    journal.note({"ticks": [tick(1)]}, {"next": 2})

    assert recover_journals(tmp_path / "journal", lake, keep=()) == 0

    assert journal.restore() == {"next": 2}
    journal.close()


def test_one_damaged_journal_keeps_its_rows_and_stops_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = open_lake(tmp_path)
    leave_behind(tmp_path, "door", 1)
    leave_behind(tmp_path, "till", 2)
    damaged = tmp_path / "journal/riga/door/000000000002.json"
    damaged.write_text("{")

    assert recover_journals(tmp_path / "journal", lake, keep=()) == 1

    assert str(damaged) in caplog.text
    assert len(list(damaged.parent.glob("*.json"))) == 2
    assert ticks_in(lake) == [2]


def test_no_journals_are_nothing_to_recover(tmp_path: Path) -> None:
    assert recover_journals(tmp_path / "journal", open_lake(tmp_path), keep=()) == 0


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
        again.close()

    assert ticks_in(lake) == [0, 1, 2, 3, 4]
    assert again.skipped == 5


def test_a_source_that_was_cut_off_goes_on_where_the_lake_ends(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    cut = replay(lake)
    cut.add({"ticks": [tick(n) for n in range(3)]})
    cut.commit()
    cut.add({"ticks": [tick(3)]})  # never committed
    del cut

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


def test_a_recording_is_watched_by_one_process_at_a_time(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    first = replay(lake)
    with pytest.raises(ConflictError, match="another process is watching this recording now"):
        replay(lake)
    other = Replay(lake, writer_id="file.2", commit_s=60, commit_rows=1000)

    first.add({"ticks": [tick(0)]})
    first.close()
    first.close()

    second = replay(lake)
    second.add({"ticks": [tick(0), tick(1)]})
    second.close()
    other.close()
    assert ticks_in(lake) == [0, 1]
    with pytest.raises(StorageError, match="closed"):
        first.add({"ticks": [tick(9)]})


def test_a_recording_whose_worker_was_killed_can_be_watched_again(tmp_path: Path) -> None:
    program = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_journal import Path, open_lake, replay
mine = replay(open_lake(Path({str(tmp_path)!r})))
print("mine", flush=True)
time.sleep(60)
"""
    worker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    worker.stdout.readline()
    lake = open_lake(tmp_path)
    with pytest.raises(ConflictError):
        replay(lake)

    worker.kill()
    worker.communicate()

    replay(lake).close()


def test_recordings_that_are_open_are_no_spools_to_recover(tmp_path: Path) -> None:
    lake = open_lake(tmp_path)
    mine = replay(lake)

    assert lake.recover() == 0

    mine.close()
