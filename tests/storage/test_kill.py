"""Real processes, killed with -9 at random moments: no row that was acknowledged is lost, and none is there twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from vitrina.storage.lake import Lake

APPENDER = Path(__file__).parent / "appender.py"


def test_a_writer_killed_at_random_moments_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    killed = run(tmp_path, writers=1, appends=120, kills=2, commit_rows=7, seed=1, pause_s=0.02)
    assert killed == 2
    check(tmp_path, writers=1, appends=120)


@pytest.mark.slow
def test_four_writers_with_500_appends_each_under_20_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    killed = run(tmp_path, writers=4, appends=500, kills=20, commit_rows=5, seed=2, pause_s=0.03)
    assert killed == 20
    check(tmp_path, writers=4, appends=500)


def run(folder: Path, *, writers: int, appends: int, kills: int, commit_rows: int, seed: int, pause_s: float) -> int:
    """Keep the writers running until each has finished; kill one of them now and then, and compact meanwhile.

    Kills come as the work goes on, not as time does, so that a busy machine gets as many of them.
    """
    chance = random.Random(seed)
    names = [f"w{number}" for number in range(writers)]
    arguments = (str(appends), str(commit_rows), str(pause_s))
    running = {name: start(folder, name, *arguments) for name in names}
    lake, killed, next_compaction = lake_of(folder), 0, time.monotonic() + 5
    kill_at = sorted(chance.sample(range(1, round(0.6 * writers * appends)), kills))
    deadline = time.monotonic() + 400
    while running and time.monotonic() < deadline:
        time.sleep(0.01)
        for name, process in list(running.items()):
            if process.poll() is None:
                continue
            del running[name]
            if not (folder / f"{name}.finished").exists():
                assert process.returncode == -9, (folder / f"{name}.errors").read_text()
                running[name] = start(folder, name, *arguments)
        busy = sorted(name for name in running if (folder / f"{name}.begun").exists())
        if killed < kills and busy and appended(folder) >= kill_at[killed]:
            running[chance.choice(busy)].kill()
            killed += 1
        if time.monotonic() >= next_compaction:
            lake.compact(grace_s=0)
            next_compaction = time.monotonic() + 5
    assert not running, f"still running: {sorted(running)}"
    return killed


def appended(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("*.acknowledged"))


def start(folder: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.errors").open("ab") as errors:
        return subprocess.Popen([sys.executable, str(APPENDER), str(folder), name, *arguments], stderr=errors)


def lake_of(folder: Path) -> Lake:
    sys.path.insert(0, str(APPENDER.parent))
    try:
        import appender
    finally:
        sys.path.pop(0)
    lake: Lake = appender.open_lake(folder, commit_rows=1)
    return lake


def check(folder: Path, *, writers: int, appends: int) -> None:
    lake = lake_of(folder)
    lake.recover()
    found = Counter(lake.expr("seen").event_id.to_pyarrow().to_pylist())
    acknowledged = {line for path in folder.glob("*.acknowledged") for line in path.read_text().split()}
    begun = {f"w{writer}-{number}" for writer in range(writers) for number in range(appends)}
    assert acknowledged - found.keys() == set(), "lost"
    assert [name for name, times in found.items() if times > 1] == [], "there twice"
    assert found.keys() <= begun
    assert len(begun - acknowledged) <= 20, "at most one row a kill was cut off before it was acknowledged"
    lake.compact(grace_s=0)
    left = {path.name for path in (folder / "lake" / "seen").rglob("part-*")} - {
        Path(file).name for file in lake.files("seen")
    }
    assert left == {"part_shop_id=riga", "part_business_day=2026-06-01"} & left, "files of commits that were cut off"
