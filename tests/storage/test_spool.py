from __future__ import annotations

import logging
import os
import resource
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vitrina.errors import ConflictError, StorageError
from vitrina.storage.spool import Spool, files_aside, forget_aside
from vitrina.storage.table import TableSpec, conform

Row = Callable[..., dict[str, Any]]


@pytest.fixture
def rows(spec: TableSpec, row: Row) -> Callable[[int, int], pa.Table]:
    return lambda first, last: conform([row(number) for number in range(first, last)], spec)


Rows = Callable[[int, int], pa.Table]


def ids(table: pa.Table | None) -> list[str]:
    return [] if table is None else table.column("event_id").to_pylist()


def test_rows_come_back_in_their_order_in_numbered_segments(tmp_path: Path, rows: Rows) -> None:
    spool = Spool(tmp_path)
    spool.write(rows(0, 2))
    spool.write(rows(2, 3))
    assert spool.open_rows == 3
    spool.seal()
    spool.write(rows(3, 4))
    assert spool.segments() == [1, 2]
    assert ids(spool.read(1)) == ["event-0", "event-1", "event-2"]
    assert ids(spool.read(2)) == ["event-3"]
    spool.close()


def test_another_process_finds_what_was_written_and_goes_on_behind_it(tmp_path: Path, rows: Rows) -> None:
    first = Spool(tmp_path)
    first.write(rows(0, 2))
    first.close()
    second = Spool(tmp_path)
    second.write(rows(2, 3))
    assert second.segments() == [1, 2]
    assert ids(second.read(1)) == ["event-0", "event-1"]
    second.close()


def test_numbers_go_on_behind_what_the_table_has(tmp_path: Path, rows: Rows) -> None:
    spool = Spool(tmp_path)
    spool.skip_to(41)
    spool.write(rows(0, 1))
    assert spool.segments() == [42]
    spool.close()


def test_two_cannot_write_into_one_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(ConflictError, match="another process"):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()


def test_cut_at_any_byte_a_segment_gives_its_whole_records_and_no_more(tmp_path: Path, rows: Rows) -> None:
    """What a kill or a power cut during a write may leave."""
    spool = Spool(tmp_path)
    path = tmp_path / "000000000001.rows"
    ends = []
    for number in range(3):
        spool.write(rows(number, number + 1))
        ends.append(path.stat().st_size)
    spool.seal()
    content = path.read_bytes()
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        assert len(ids(spool.read(1))) == sum(end <= cut for end in ends), f"cut at byte {cut}"
    path.write_bytes(content[: ends[1]] + bytes(500))
    assert len(ids(spool.read(1))) == 2, "a file that the power cut left with zeros at its end"
    assert not list(tmp_path.glob("*.damaged"))
    spool.close()


def test_damage_in_the_middle_is_said_and_kept(tmp_path: Path, rows: Rows, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path)
    path = tmp_path / "000000000001.rows"
    spool.write(rows(0, 1))
    end = path.stat().st_size
    spool.write(rows(1, 2))
    spool.write(rows(2, 3))
    spool.seal()
    content = bytearray(path.read_bytes())
    content[end + 20] ^= 0xFF
    path.write_bytes(content)
    with caplog.at_level(logging.ERROR):
        assert ids(spool.read(1)) == ["event-0"]
    assert "damaged at byte" in caplog.text
    assert path.with_suffix(".damaged").read_bytes() == bytes(content[end:])
    spool.close()


def test_a_full_disk_is_an_error_and_hides_neither_earlier_nor_later_rows(tmp_path: Path, rows: Rows) -> None:
    spool = Spool(tmp_path)
    spool.write(rows(0, 2))
    size = (tmp_path / "000000000001.rows").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
    try:
        with pytest.raises(StorageError, match="Free some space"):
            spool.write(rows(2, 90))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    spool.write(rows(90, 92))
    found = [name for number in spool.segments() for name in ids(spool.read(number))]
    assert found == ["event-0", "event-1", "event-90", "event-91"]
    spool.close()


def test_a_disk_that_is_full_from_the_start_leaves_nothing_behind(tmp_path: Path, rows: Rows) -> None:
    spool = Spool(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(StorageError):
            spool.write(rows(0, 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert spool.segments() == []
    spool.write(rows(0, 1))
    assert ids(spool.read(1)) == ["event-0"]
    spool.close()


def test_what_was_set_aside_is_kept_no_longer_than_its_table_keeps_rows(tmp_path: Path) -> None:
    """Positions for a month, visits for a year, receipts for ever; of whose rows a damaged entry is, nobody can say."""
    set_aside = {
        "journal/riga/door/000000000007.positions.refused": date(2026, 1, 30),
        "journal/riga/door/000000000008.visits.refused": date(2026, 1, 30),
        "journal/riga/door/000000000009.damaged": date(2026, 1, 30),
        "journal/riga/door/000000000010.damaged": date(2026, 3, 1),
        "spool/receipts/till/000000000001.refused": date(2020, 1, 1),
        "spool/visits/till/000000000001.refused": date(2024, 1, 1),
        "spool/visits/till/000000000002.rows": date(2024, 1, 1),
    }
    for name, day in set_aside.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"rows")
        moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
        os.utime(path, (moment, moment))

    gone = forget_aside(tmp_path, {"positions": date(2026, 2, 1), "visits": date(2025, 2, 1), "receipts": None})

    assert gone == 3
    assert [path.relative_to(tmp_path).as_posix() for path in files_aside(tmp_path)] == [
        "journal/riga/door/000000000008.visits.refused",
        "journal/riga/door/000000000010.damaged",
        "spool/receipts/till/000000000001.refused",
    ]
    assert (tmp_path / "spool/visits/till/000000000002.rows").exists()
