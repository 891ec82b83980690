from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from vitrina.errors import ConflictError, DeniedError, InputError, LimitError, NotFoundError
from vitrina.storage import delta
from vitrina.storage.lake import Lake
from vitrina.storage.spool import Spool
from vitrina.storage.table import TableSpec, column, conform

Row = Callable[..., dict[str, Any]]
MakeLake = Callable[..., Lake]
Traces = Callable[[str], list[str]]

NOW = datetime(2026, 6, 11, 12, tzinfo=UTC)


def ids(lake: Lake, table: str = "sightings", **where: Any) -> list[str]:
    found: list[str] = lake.expr(table, **where).event_id.to_pyarrow().to_pylist()
    return sorted(found)


def event_ids(numbers: range) -> list[str]:
    return sorted(f"event-{number}" for number in numbers)


# ── writing ─────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_that_is_appended_twice_is_there_once(lake: Lake, make_lake: MakeLake, row: Row) -> None:
    lake.append("sightings", [row(1)], writer_id="w", batch_no=0)
    lake.append("sightings", [row(1)], writer_id="w", batch_no=0)
    make_lake().append("sightings", [row(1)], writer_id="w", batch_no=0)
    lake.append("sightings", [row(2)], writer_id="other", batch_no=0)
    assert ids(lake) == ["event-1", "event-2"]


def test_rows_come_back_as_they_went_in(lake: Lake, row: Row) -> None:
    given = [row(1), row(2, dwell_s=None, person_id="Анна 'x'")]
    lake.append("sightings", given, writer_id="w", batch_no=1)
    assert lake.expr("sightings").order_by("event_id").to_pyarrow().to_pylist() == given


def test_a_table_without_rows_has_its_columns_and_types(lake: Lake, row: Row) -> None:
    empty = lake.expr("sightings")
    lake.append("sightings", [row(1)], writer_id="w", batch_no=1)
    assert empty.schema() == lake.expr("sightings").schema()
    assert empty.count().to_pyarrow().as_py() == 0


def test_no_question_reads_more_than_twenty_entries_of_the_log(lake: Lake, row: Row, tmp_path: Path) -> None:
    for number in range(45):
        lake.append("sightings", [row(number)], writer_id="w", batch_no=number)
    newest = max(tmp_path.glob("**/sightings/_delta_log/*.checkpoint.parquet"))
    assert 45 - int(newest.name.split(".")[0]) <= 20


def test_a_table_from_before_checkpoints_more_often_once_it_is_compacted(
    make_lake: MakeLake, row: Row, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as then:
        then.delitem(delta._CONFIGURATION, "delta.checkpointInterval")
        for number in range(4):
            make_lake().append("sightings", [row(number)], writer_id="w", batch_no=number)
    table = next(tmp_path.glob("**/sightings"))
    assert "delta.checkpointInterval" not in DeltaTable(table).metadata().configuration

    make_lake().compact(grace_s=0.0)
    assert DeltaTable(table).metadata().configuration["delta.checkpointInterval"] == "20"
    assert ids(make_lake()) == event_ids(range(4))


def test_a_table_made_when_a_column_was_described_otherwise_takes_rows(
    lake: Lake, row: Row, tmp_path: Path, spec: TableSpec
) -> None:
    lake.append("sightings", [row(1)], writer_id="w", batch_no=1)
    fields = [field.with_metadata({"comment": f"now: {field.name}"}) for field in spec.schema]
    later = Lake(tmp_path / "lake", tables={"sightings": replace(spec, schema=pa.schema(fields))})
    later.append("sightings", [row(2)], writer_id="w", batch_no=2)
    later.compact(grace_s=0.0)
    assert ids(later) == ["event-1", "event-2"]


# ── a table that grows ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def later(lake: Lake, tmp_path: Path, spec: TableSpec) -> Lake:
    """The same lake as a later version of ours knows it, whose table has two columns more."""
    newer = (
        column("loud", pa.bool_(), "New.", nullable=True),
        column("zone_id", pa.string(), "New too.", nullable=True),
    )
    return Lake(tmp_path / "lake", tables={"sightings": replace(spec, schema=pa.schema([*spec.schema, *newer]))})


def told(lake: Lake, **where: Any) -> list[tuple[Any, ...]]:
    rows = lake.expr("sightings", **where).to_pyarrow().sort_by("event_id").to_pylist()
    return [(one["event_id"], one["loud"], one["zone_id"], one["dwell_s"]) for one in rows]


def test_rows_from_before_a_column_was_thought_of_have_none_in_it(lake: Lake, later: Lake, row: Row) -> None:
    lake.append("sightings", [row(1), row(201)], writer_id="w", batch_no=1)
    assert told(later) == [("event-1", None, None, 0.5), ("event-201", None, None, 100.5)], "before the first new row"

    later.append("sightings", [row(2, loud=True, zone_id="door")], writer_id="w", batch_no=2)

    expected = [("event-1", None, None, 0.5), ("event-2", True, "door", 1.0), ("event-201", None, None, 100.5)]
    assert told(later) == expected
    assert told(later, days=(date(2026, 6, 3), date(2026, 6, 3))) == expected[2:], "a file without the column, alone"
    counted = later.sql("SELECT count(*) AS n, count(loud) AS loud, min(zone_id) AS zone FROM sightings")
    assert counted.to_pylist() == [{"n": 3, "loud": 1, "zone": "door"}]
    relation = later.relation("sightings", later.files("sightings"))
    assert later.run(f"SELECT count(zone_id) AS n FROM {relation}").to_pylist() == [{"n": 1}]


def test_a_table_that_grew_is_kept_like_any_other(lake: Lake, later: Lake, row: Row, traces: Traces) -> None:
    for number in range(3):
        lake.append("sightings", [row(number), row(number + 200)], writer_id="w", batch_no=number)
    later.append("sightings", [row(3, loud=True, zone_id="door")], writer_id="w", batch_no=3)

    assert sum(later.compact(grace_s=0.0).values()) > 0
    assert later.delete("sightings", "zone_id", "door", grace_s=0.0) == 1
    assert later.retain({"visits_days": 8}, NOW, grace_s=0.0) == {"sightings": 3}

    assert told(later) == [(f"event-{number}", None, None, number / 2) for number in (200, 201, 202)]
    assert not traces("event-3")


def test_a_process_of_the_earlier_version_goes_on_beside_it(lake: Lake, later: Lake, row: Row) -> None:
    lake.append("sightings", [row(1)], writer_id="w", batch_no=1)
    later.append("sightings", [row(2, loud=False, zone_id="till")], writer_id="v", batch_no=1)
    lake.append("sightings", [row(3)], writer_id="w", batch_no=2)

    assert ids(lake) == event_ids(range(1, 4))
    assert told(later) == [("event-1", None, None, 0.5), ("event-2", False, "till", 1.0), ("event-3", None, None, 1.5)]


def test_rows_that_the_earlier_version_left_in_its_spool_are_committed(
    later: Lake, row: Row, spec: TableSpec, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool" / "sightings" / "w")
    spool.write(conform([row(1)], spec))
    spool.close()

    assert later.recover() == 1

    assert told(later) == [("event-1", None, None, 0.5)]


def test_nothing_is_kept_of_files_that_were_read(lake: Lake, row: Row) -> None:
    for number in range(5):
        lake.append("sightings", [row(number)], writer_id="w", batch_no=number)
        assert ids(lake) == event_ids(range(number + 1))
    assert lake.run("SELECT sum(memory_usage_bytes) AS kept FROM duckdb_memory()").to_pylist() == [{"kept": 0}]


def test_views_of_many_files_are_few(lake: Lake, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitrina.storage.lake._FILES_IN_VIEWS", 40)
    monkeypatch.setattr("vitrina.storage.lake._LEAST_VIEWS_KEPT", 3)
    asked = []
    for number in range(12):
        lake.append("sightings", [row(number)], writer_id="w", batch_no=number)
        asked.append(lake.expr("sightings"))
    assert [expr.count().to_pyarrow().as_py() for expr in asked[-3:]] == [10, 11, 12]
    held = lake.connect().con.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchone()
    assert held == (3,)


def test_no_rows_make_no_version(lake: Lake, row: Row) -> None:
    assert lake.version("sightings") == -1
    lake.append("sightings", [], writer_id="w", batch_no=0)
    assert lake.version("sightings") == -1
    lake.append("sightings", [row(1)], writer_id="w", batch_no=1)
    before = lake.version("sightings")
    lake.append("sightings", [row(2)], writer_id="w", batch_no=2)
    assert lake.version("sightings") > before >= 0


def test_writers_that_meet_lose_nothing(make_lake: MakeLake, row: Row) -> None:
    """Without retries, 4 writers with 75 appends each lost 20 rows."""

    def work(writer: int) -> None:
        own = make_lake()
        for batch in range(10):
            own.append("sightings", [row(writer * 10 + batch)], writer_id=f"w{writer}", batch_no=batch)

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids(make_lake()) == event_ids(range(40))


def test_a_writer_commits_what_was_added_by_time(make_lake: MakeLake, row: Row) -> None:
    with make_lake(commit_s=0.1).writer("sightings", "w") as writer:
        writer.add([row(1)])
        assert wait_for(lambda: ids(make_lake()) == ["event-1"])


def test_a_writer_commits_what_was_added_by_number(make_lake: MakeLake, row: Row) -> None:
    with make_lake(commit_rows=3).writer("sightings", "w") as writer:
        for number in range(3):
            writer.add([row(number)])
        assert wait_for(lambda: ids(make_lake()) == event_ids(range(3)))


def test_a_closed_writer_has_committed_everything_and_left_nothing_on_disk(
    lake: Lake, row: Row, tmp_path: Path
) -> None:
    with lake.writer("sightings", "w") as writer:
        for number in range(5):
            writer.add([row(number)])
    assert ids(lake) == event_ids(range(5))
    assert not list(tmp_path.rglob("*.rows"))


def test_the_next_writer_of_an_id_commits_what_the_last_one_left(lake: Lake, make_lake: MakeLake, row: Row) -> None:
    abandon(lake, row, range(3))
    with make_lake().writer("sightings", "w") as writer:
        assert wait_for(lambda: ids(lake) == event_ids(range(3))), "without anything being added"
        writer.add([row(3)])
    assert ids(lake) == event_ids(range(4))


def test_a_writer_that_stopped_between_commit_and_clean_up_commits_nothing_twice(
    lake: Lake, make_lake: MakeLake, row: Row, tmp_path: Path
) -> None:
    abandon(lake, row, range(3))
    [segment] = tmp_path.rglob("*.rows")
    content = segment.read_bytes()
    make_lake().writer("sightings", "w").close()
    segment.write_bytes(content)
    with make_lake().writer("sightings", "w") as writer:
        writer.add([row(3)])
    assert ids(lake) == event_ids(range(4))


def test_what_a_writer_left_that_nobody_opens_again_is_recovered(lake: Lake, make_lake: MakeLake, row: Row) -> None:
    abandon(lake, row, range(3))
    with make_lake().writer("sightings", "alive") as writer:
        writer.add([row(9)])
        assert make_lake().recover() == 1
        assert ids(lake) == event_ids(range(3)), "the rows of one that is alive are its own business"


def test_rows_that_the_table_refuses_later_are_kept_aside(lake: Lake, row: Row, tmp_path: Path) -> None:
    """A new version of the product may find rows of the old one in a spool."""
    abandon(lake, row, range(1))
    [segment] = tmp_path.rglob("*.rows")
    renamed = segment.read_bytes().replace(b"person_id", b"visitor_i")
    segment.write_bytes(reseal(renamed))
    with lake.writer("sightings", "w") as writer:
        writer.add([row(5)])
    assert ids(lake) == ["event-5"]
    assert len(list(tmp_path.rglob("*.refused"))) == 1


def test_two_writers_of_one_id_cannot_be_open(lake: Lake, make_lake: MakeLake) -> None:
    with lake.writer("sightings", "w"), pytest.raises(ConflictError):
        make_lake().writer("sightings", "w")


def test_rows_that_do_not_fit_are_refused_before_they_are_spooled(lake: Lake, row: Row) -> None:
    with lake.writer("sightings", "w") as writer:
        with pytest.raises(InputError, match="person_id"):
            writer.add([row(1), row(2, person_id=None)])
        writer.add([row(3)])
    assert ids(lake) == ["event-3"]


@pytest.mark.parametrize("writer_id", ["", "../up", "a/b", "x" * 201])
def test_an_id_that_is_no_file_name_is_refused(lake: Lake, row: Row, writer_id: str) -> None:
    with pytest.raises(InputError, match="writer_id"):
        lake.writer("sightings", writer_id)
    with pytest.raises(InputError, match="writer_id"):
        lake.append("sightings", [row(1)], writer_id=writer_id, batch_no=1)


def test_a_table_that_does_not_exist_is_named_with_those_that_do(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="'visits'; it has sightings, others"):
        lake.expr("visits")


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


def test_a_shop_and_its_days_are_read_from_their_own_files(lake: Lake, row: Row) -> None:
    lake.append("sightings", [row(number) for number in range(0, 400, 25)], writer_id="w", batch_no=1)
    assert ids(lake, shop_id="riga", days=(date(2026, 6, 2), date(2026, 6, 3))) == sorted(
        ["event-100", "event-150", "event-200", "event-250"]
    )
    assert ids(lake, days=(date(2026, 6, 4), date(2026, 6, 4))) == event_ids(range(300, 400, 25))
    assert ids(lake, shop_id="nowhere") == []
    assert len(lake.files("sightings", shop_id="riga")) == 4


def test_partitions_are_ordinary_columns_of_every_file(lake: Lake, row: Row) -> None:
    lake.append("sightings", [row(1)], writer_id="w", batch_no=1)
    [file] = lake.files("sightings")
    assert pq.ParquetFile(file).read().to_pylist() == [row(1)]


def test_another_process_sees_a_commit_at_once(lake: Lake, make_lake: MakeLake, row: Row) -> None:
    other = make_lake()
    for number in range(3):
        lake.append("sightings", [row(number)], writer_id="w", batch_no=number)
        assert ids(other) == event_ids(range(number + 1))


def test_every_thread_has_its_own_connection(lake: Lake, row: Row) -> None:
    lake.append("sightings", [row(number) for number in range(50)], writer_id="w", batch_no=1)
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.extend(len(ids(lake)) for _ in range(5)), name=f"t{n}") for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [50] * 20


def test_a_folder_with_spaces_and_letters_of_all_alphabets_works(tmp_path: Path, spec: TableSpec, row: Row) -> None:
    lake = Lake(tmp_path / "моя лавка ü" / "lake", tables={"sightings": spec})
    lake.append("sightings", [row(1)], writer_id="w", batch_no=1)
    assert ids(lake) == ["event-1"]
    assert lake.sql("SELECT count(*) AS n FROM sightings").to_pylist() == [{"n": 1}]


@pytest.mark.parametrize("name", ["what?", "all*", "a[1]", "50%"])
def test_a_folder_whose_name_an_engine_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="path"):
        Lake(tmp_path / name / "lake", tables={})


def test_it_works_with_the_network_refused(lake: Lake, row: Row, tmp_path: Path) -> None:
    """Written, asked by Ibis and by SQL, compacted, in a process in which every connection and look-up is an error."""
    program = Path(__file__).parent / "offline.py"
    done = subprocess.run(
        [sys.executable, program, tmp_path / "offline"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "3", "1"]


# ── SQL ─────────────────────────────────────────────────────────────────────────────────────────


def test_sql_answers_from_all_tables_also_the_empty_ones(lake: Lake, row: Row) -> None:
    lake.append("sightings", [row(number) for number in range(4)], writer_id="w", batch_no=1)
    answer = lake.sql("SELECT shop_id, count(*) AS n FROM sightings GROUP BY ALL ORDER BY ALL")
    assert answer.to_pylist() == [{"shop_id": "riga", "n": 2}, {"shop_id": "vilnius", "n": 2}]
    assert lake.sql("WITH a AS (FROM others) SELECT count(*) AS n FROM a").to_pylist() == [{"n": 0}]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM read_parquet('{folder}/lake/sightings/**/*.parquet')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
        "SELECT * FROM query('SELECT * FROM read_text(''{secret}'')')",
        "SELECT * FROM sniff_csv('{secret}')",
        "FROM secret_frame",
        "COPY sightings TO '{folder}/leak.csv'",
        "COPY (SELECT 1) TO '{folder}/leak.csv'",
        "ATTACH '{folder}/leak.db'",
        "EXPORT DATABASE '{folder}/leak'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA enable_external_access",
        "CREATE TABLE a AS SELECT 1",
        "DROP VIEW sightings",
        "DELETE FROM sightings",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY (SELECT 1) TO '{folder}/leak.csv'",
        "",
        "selec",
    ],
)
def test_sql_reads_the_tables_and_does_nothing_else(lake: Lake, row: Row, tmp_path: Path, query: str) -> None:
    secret_frame = __import__("pandas").DataFrame({"a": ["hunter2"]})
    lake.append("sightings", [row(1)], writer_id="w", batch_no=1)
    secret = tmp_path / "secret.csv"
    secret.write_text("hunter2\n")
    with pytest.raises((DeniedError, InputError)) as refused:
        lake.sql(query.format(secret=secret, folder=tmp_path))
    assert "hunter2" not in str(refused.value)
    assert not list(tmp_path.glob("leak*"))
    assert len(secret_frame) == 1


def test_sql_that_asks_too_much_is_stopped_with_the_reason(make_lake: MakeLake) -> None:
    lake = make_lake(memory_mb=64)
    with pytest.raises(LimitError, match="longer than 1 s"):
        lake.sql("SELECT count(*) FROM range(10000000000) a, range(100) b WHERE a.range % 7 = b.range", timeout_s=1)
    with pytest.raises(LimitError, match="more than 10 rows"):
        lake.sql("SELECT * FROM range(11)", max_rows=10)
    with pytest.raises(LimitError, match="64 MB"):
        lake.sql("SELECT list(range || repeat('x', 100)) FROM range(10000000)")


def test_the_data_dictionary_has_a_comment_for_every_column(lake: Lake, row: Row) -> None:
    lake.append("sightings", [row(1), row(2)], writer_id="w", batch_no=1)
    sightings, others = lake.describe()
    assert (sightings.rows, sightings.files, others.rows, others.version) == (2, 2, 0, -1)
    assert sightings.bytes > 0
    assert all(column.comment for column in sightings.columns)
    assert [column.name for column in sightings.columns][:3] == ["event_id", "t", "business_day"]


# ── upkeep ──────────────────────────────────────────────────────────────────────────────────────


def test_compaction_makes_one_file_of_each_shop_and_day_and_keeps_every_row(lake: Lake, row: Row) -> None:
    for number in range(12):
        lake.append("sightings", [row(number)], writer_id="w", batch_no=number)
    assert lake.compact(grace_s=0) == {"sightings": 12, "others": 0}
    assert len(lake.files("sightings")) == 2
    assert ids(lake) == event_ids(range(12))
    lake.append("sightings", [row(11)], writer_id="w", batch_no=11)
    assert ids(lake) == event_ids(range(12)), "it knows what is committed also after its log was cut"


def test_a_process_that_looked_before_the_log_was_cut_goes_on(lake: Lake, make_lake: MakeLake, row: Row) -> None:
    other = make_lake()
    for number in range(6):
        lake.append("sightings", [row(number)], writer_id="w", batch_no=number)
    assert ids(other) == event_ids(range(6))
    lake.append("sightings", [row(6)], writer_id="w", batch_no=6)
    lake.compact(grace_s=0)
    lake.delete("sightings", "person_id", "person-0", grace_s=0)
    assert ids(other) == event_ids(range(1, 7))
    other.append("sightings", [row(6)], writer_id="w", batch_no=6)
    other.append("sightings", [row(7)], writer_id="w", batch_no=7)
    assert ids(lake) == event_ids(range(1, 8))


def test_a_question_that_began_before_a_compaction_still_finds_its_files(lake: Lake, row: Row) -> None:
    for number in range(4):
        lake.append("sightings", [row(number)], writer_id="w", batch_no=number)
    begun = lake.expr("sightings")
    lake.compact()
    assert begun.count().to_pyarrow().as_py() == 4
    lake.compact(grace_s=0)
    assert len(list(Path(lake.files("sightings")[0]).parent.parent.parent.rglob("part-*.parquet"))) == 2


def test_retention_deletes_the_days_before_the_rule_and_every_trace_of_them(
    lake: Lake, row: Row, traces: Traces
) -> None:
    for number in range(0, 1000, 50):
        lake.append("sightings", [row(number)], writer_id="w", batch_no=number)
        lake.append("others", [row(number, event_id=f"other-{number}")], writer_id="w", batch_no=number)
    lake.compact()
    assert lake.expired({"visits_days": 7}, NOW) == {"sightings": date(2026, 6, 4)}
    assert lake.retain({"visits_days": 7}, NOW, grace_s=0) == {"sightings": 6}
    assert ids(lake) == event_ids(range(300, 1000, 50))
    assert traces("event-250") == []
    assert len(traces("event-300")) == 1
    assert len(ids(lake, "others")) == 20, "no rule, no deletion"
    assert lake.retain({"visits_days": 7}, NOW, grace_s=0) == {"sightings": 0}


def test_deleting_an_id_leaves_no_trace_of_it_in_any_file(lake: Lake, row: Row, traces: Traces) -> None:
    """Neither in data files, nor in the log: not in statistics, and not as the condition of the delete."""
    for number in range(30):
        lake.append("sightings", [row(number)], writer_id="w", batch_no=number)
    lake.compact()
    lake.append("sightings", [row(30, person_id="person-7")], writer_id="w", batch_no=30)
    with lake.writer("sightings", "spooled") as writer:
        writer.add([row(31, person_id="person-7")])
    assert traces("person-7")
    assert lake.delete("sightings", "person_id", "person-7", grace_s=0) == 3
    assert traces("person-7") == []
    assert traces("event-7") == []
    assert ids(lake) == sorted(set(event_ids(range(30))) - {"event-7"})


def test_what_a_killed_writer_left_uncommitted_goes_with_the_next_sweep(lake: Lake, row: Row, traces: Traces) -> None:
    lake.append("sightings", [row(1)], writer_id="w", batch_no=1)
    [file] = map(Path, lake.files("sightings"))
    orphan = file.with_name("part-00000-00000000-0000-0000-0000-000000000000-c000.zstd.parquet")
    orphan.write_bytes(file.read_bytes())
    lake.compact(grace_s=0)
    assert not orphan.exists()
    assert ids(lake) == ["event-1"]


def test_deleting_waits_for_questions_that_are_under_way_before_files_go(lake: Lake, row: Row, traces: Traces) -> None:
    for number in range(10):
        lake.append("sightings", [row(number)], writer_id="w", batch_no=number)
    begun = lake.expr("sightings")
    started = time.monotonic()
    deleting = threading.Thread(target=lake.delete, args=("sightings", "person_id", "person-7"), kwargs={"grace_s": 4})
    deleting.start()
    assert wait_for(lambda: len(ids(lake)) == 9), "the table has changed"
    assert begun.count().to_pyarrow().as_py() == 10, "the files are still there"
    deleting.join()
    assert time.monotonic() - started >= 4
    assert traces("person-7") == []


@pytest.mark.parametrize(("table", "column", "error"), [("nope", "x", "nope"), ("sightings", "x = x OR y", "column")])
def test_deleting_by_what_does_not_exist_is_refused(lake: Lake, table: str, column: str, error: str) -> None:
    with pytest.raises(NotFoundError, match=error):
        lake.delete(table, column, "1", grace_s=0)


def test_a_value_with_quotes_deletes_itself_only(lake: Lake, row: Row) -> None:
    lake.append("sightings", [row(1, person_id="x' OR 'a' = 'a"), row(2)], writer_id="w", batch_no=1)
    assert lake.delete("sightings", "person_id", "x' OR 'a' = 'a", grace_s=0) == 1
    assert ids(lake) == ["event-2"]


def test_upkeep_during_writing_and_reading_disturbs_neither(make_lake: MakeLake, row: Row) -> None:
    lake, stop, failures = make_lake(), threading.Event(), []

    def write(writer: int) -> None:
        own = make_lake()
        for batch in range(25):
            number = writer * 25 + batch
            own.append("sightings", [row(number, person_id=f"{number % 5}")], writer_id=f"w{writer}", batch_no=batch)

    def read() -> None:
        own = make_lake()
        while not stop.is_set():
            try:
                ids(own)
            except Exception as error:  # noqa: BLE001 - the test tells which
                failures.append(error)

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(2)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    while any(thread.is_alive() for thread in writers):
        lake.compact()
    stop.set()
    reader.join()
    assert failures == []
    assert ids(lake) == event_ids(range(50))


def abandon(lake: Lake, row: Row, numbers: range) -> None:
    """Rows in the spool of a writer that is gone, as after kill -9."""
    from vitrina.storage.spool import Spool
    from vitrina.storage.table import conform

    spool = Spool(lake._spool / "sightings" / "w")
    spool.write(conform([row(number) for number in numbers], lake._tables["sightings"]))
    spool.close()


def reseal(content: bytes) -> bytes:
    """The same segment with checksums that fit its changed payloads."""
    import struct
    import zlib

    out, at = content[:8], 8
    while at < len(content):
        size, _ = struct.unpack_from("<II", content, at)
        payload = content[at + 8 : at + 8 + size]
        out += struct.pack("<II", size, zlib.crc32(payload)) + payload
        at += 8 + size
    return out


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
