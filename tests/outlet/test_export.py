"""A day's files: whole or not there, the same names each time, a right manifest, every missed day made up for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from vitrina.errors import ConflictError, InputError, StorageError
from vitrina.outlet import export
from vitrina.outlet.address import parse
from vitrina.outlet.export import Export, ExportRun, ExportSettings, Part
from vitrina.outlet.s3 import Bucket, TooLargeError, signed_headers
from vitrina.outlet.target import Folder, folder_below
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox
from vitrina.work.jobs import Claim, list_jobs
from vitrina.work.worker import JobStopped, RunningJob, TryAgain

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 4)
KNOWN = ("hourly", "zones")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "exports"


def add(database: Database, box: SecretBox, root: Path, **given: Any) -> None:
    fields: dict[str, Any] = {"name": "nightly", "tables": KNOWN, "target": "there", "first_day": FIRST}
    with database.session() as session:
        settings = ExportSettings(**(fields | given))
        export.add_export(session, settings, known_tables=KNOWN, root=root, box=box, by="test")


def rows_of(day: date, table: str) -> pa.Table:
    return pa.table({"day": [str(day)] * 3, "table": [table] * 3, "in": [1, 2, day.day]})


def two_parts(row: Export, day: date) -> Iterator[Part]:
    for table in row.tables:
        yield Part("riga", table, rows_of(day, table))


def job(**payload: Any) -> RunningJob:
    claim = Claim("1", export.JOB, {"export": "nightly", "day": None} | payload, 1, 6, "w")
    return RunningJob(claim, threading.Event())


def run(database: Database, root: Path, running: RunningJob | None = None, **changed: Any) -> str:
    told: dict[str, Any] = {
        "produce": two_parts,
        "last_day": lambda _row: LAST,
        "open_target": lambda row: Folder(folder_below(root, row.target)),
        "on_written": lambda *_: None,
    }
    return export.run(database, running or job(), **(told | changed))


def outcomes(database: Database) -> dict[str, str]:
    with database.reading() as session:
        return {row.day: row.outcome for row in export.runs(session)}


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_every_missing_day_is_written_with_a_manifest_that_is_right(
    database: Database, box: SecretBox, root: Path, form: str
) -> None:
    add(database, box, root, format=form)

    assert run(database, root) == "4 days written"

    assert outcomes(database) == {f"2026-03-0{day}": "done" for day in (1, 2, 3, 4)}
    manifest = json.loads((root / "there/manifests/2026-03-02.json").read_text())
    assert [file["path"] for file in manifest["files"]] == [
        f"riga/2026-03-02/hourly.{form}",
        f"riga/2026-03-02/zones.{form}",
    ]
    for file in manifest["files"]:
        content = (root / "there" / file["path"]).read_bytes()
        assert (file["bytes"], file["rows"]) == (len(content), 3)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    if form == "parquet":
        assert pq.read_table(root / "there/riga/2026-03-02/zones.parquet").equals(rows_of(date(2026, 3, 2), "zones"))
    assert run(database, root) == "nothing was missing"


def test_a_day_written_again_has_the_same_names_and_the_new_rows(
    database: Database, box: SecretBox, root: Path
) -> None:
    add(database, box, root)
    run(database, root)
    before = files(root)

    def late_rows(row: Export, day: date) -> Iterable[Part]:
        return [Part("riga", table, pa.concat_tables([rows_of(day, table)] * 2)) for table in row.tables]

    assert run(database, root, job(day="2026-03-02"), produce=late_rows) == "1 days written"

    assert files(root) == before
    assert pq.read_table(root / "there/riga/2026-03-02/zones.parquet").num_rows == 6
    assert pq.read_table(root / "there/riga/2026-03-03/zones.parquet").num_rows == 3


def test_a_day_that_is_not_over_is_refused_and_written_when_it_is(
    database: Database, box: SecretBox, root: Path
) -> None:
    add(database, box, root)
    tomorrow = LAST + timedelta(days=1)

    with pytest.raises(InputError, match="is not over yet"):
        run(database, root, job(day=str(tomorrow)))

    assert (outcomes(database), files(root)) == ({str(tomorrow): "failed"}, [])
    run(database, root, last_day=lambda _row: tomorrow)
    assert outcomes(database)[str(tomorrow)] == "done"


class Sometimes:
    """Makes the second part of 2 March only when it was mended."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error

    def __call__(self, row: Export, day: date) -> Iterator[Part]:
        yield Part("riga", "hourly", rows_of(day, "hourly"))
        if self.error and day == date(2026, 3, 2):
            raise self.error
        yield Part("riga", "zones", rows_of(day, "zones"))


def failing(database: Database) -> list[tuple[str, str]]:
    with database.reading() as session:
        return [(row.day, row.reason) for row in export.failing(session).get("nightly", [])]


@pytest.mark.parametrize(
    ("error", "raised", "reason"),
    [
        (InputError("the layout of that day is none"), InputError, "the layout of that day is none"),
        (StorageError("the lake is being moved"), TryAgain, "the lake is being moved"),
        (ZeroDivisionError("a bug"), TryAgain, "ZeroDivisionError; see the log"),
    ],
)
def test_a_day_that_cannot_be_made_leaves_no_manifest_holds_up_no_other_and_is_made_up_for(
    database: Database, box: SecretBox, root: Path, error: Exception, raised: type[Exception], reason: str
) -> None:
    add(database, box, root)
    told: list[date] = []
    produce = Sometimes(error)
    changed: dict[str, Any] = {"on_written": lambda _session, _row, day, _files: told.append(day)}

    for _ in range(2):
        with pytest.raises(raised, match=f"days could not be written, first 2026-03-02: {reason}"):
            run(database, root, produce=produce, **changed)

    assert outcomes(database) == {f"2026-03-0{day}": "failed" if day == 2 else "done" for day in (1, 2, 3, 4)}
    assert not (root / "there/manifests/2026-03-02.json").exists()
    assert failing(database) == [("2026-03-02", reason)]

    produce.error = None
    assert run(database, root, produce=produce, **changed) == "1 days written"

    assert [day.day for day in told] == [1, 3, 4, 2]  # each once
    assert failing(database) == []
    assert len(files(root)) == 3 * 4


class Shut:
    """A target that takes so many files, and then says why it takes no more."""

    def __init__(self, inside: Folder, takes: int, error: Exception) -> None:
        self.inside, self.takes, self.error, self.asked = inside, takes, error, 0

    def put(self, name: str, file: Path) -> None:
        self.asked += 1
        if self.asked > self.takes:
            raise self.error
        self.inside.put(name, file)


def test_a_target_that_takes_nothing_ends_the_run_and_is_not_asked_for_each_later_day(
    database: Database, box: SecretBox, root: Path
) -> None:
    add(database, box, root)
    shut = Shut(Folder(folder_below(root, "there")), 4, TryAgain("the store is away"))

    with pytest.raises(TryAgain, match="the store is away"):
        run(database, root, open_target=lambda _row: shut)

    assert outcomes(database) == {"2026-03-01": "done", "2026-03-02": "failed"}
    assert shut.asked == 5
    assert run(database, root) == "3 days written"


def test_a_file_that_no_store_takes_holds_up_no_other_day(database: Database, box: SecretBox, root: Path) -> None:
    add(database, box, root)
    inside = Folder(folder_below(root, "there"))

    class Small:
        def put(self, name: str, file: Path) -> None:
            if name == "riga/2026-03-01/zones.parquet":
                raise TooLargeError("zones: 6 GB")
            inside.put(name, file)

    with pytest.raises(InputError, match="1 of 4 days could not be written, first 2026-03-01: zones: 6 GB"):
        run(database, root, open_target=lambda _row: Small())

    assert [day for day, outcome in sorted(outcomes(database).items()) if outcome == "failed"] == ["2026-03-01"]


def test_days_that_a_clock_ahead_of_them_ended_are_written_when_they_are_over(
    database: Database, box: SecretBox, root: Path
) -> None:
    add(database, box, root)
    run(database, root)
    with database.session() as session:
        ahead = ExportRun.day >= "2026-03-03"
        session.execute(sa.update(ExportRun).where(ahead).values(ended_at=datetime.now(UTC) + timedelta(days=300)))

    assert run(database, root) == "2 days written"
    assert run(database, root) == "nothing was missing"


def test_a_file_is_there_whole_or_not_at_all(root: Path, tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"new" * 1000)
    goal = root / "a/b.csv"
    Folder(root).put("a/b.csv", content)
    seen = goal.open("rb")
    content.write_bytes(b"newer")

    Folder(root).put("a/b.csv", content)

    assert (seen.read(), goal.read_bytes()) == (b"new" * 1000, b"newer")  # who reads the old one reads it to its end
    seen.close()
    assert files(root) == ["a/b.csv"]
    assert goal.stat().st_mode & 0o007 == 0


def test_a_folder_that_cannot_be_written_is_tried_again(root: Path, tmp_path: Path) -> None:
    root.parent.mkdir(exist_ok=True)
    root.write_text("a file stands where the folder should")
    content = tmp_path / "content"
    content.write_bytes(b"x")

    with pytest.raises(TryAgain, match="cannot be written"):
        Folder(root).put("a/b.csv", content)


def test_a_run_that_is_to_stop_goes_on_where_it_was(database: Database, box: SecretBox, root: Path) -> None:
    add(database, box, root)
    running = job()

    def then_stop(row: Export, day: date) -> Iterator[Part]:
        yield from two_parts(row, day)
        running.lost.set()

    with pytest.raises(JobStopped):
        run(database, root, running, produce=then_stop)
    assert outcomes(database) == {"2026-03-01": "done"}

    assert run(database, root) == "3 days written"


@pytest.mark.parametrize("name", ["..", "../x", "/etc", "a/../../x", "a\0b"])
def test_nothing_is_written_outside_of_the_folder_that_is_allowed(root: Path, name: str) -> None:
    root.mkdir()

    with pytest.raises(InputError, match="target"):
        folder_below(root, name)


def test_a_link_that_leads_outside_is_seen_through(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    (root / "out").symlink_to(tmp_path)

    with pytest.raises(InputError, match="lies outside"):
        folder_below(root, "out/x")


def test_what_was_missed_for_days_is_asked_for_once_and_the_next_time_is_set(
    database: Database, box: SecretBox, root: Path
) -> None:
    add(database, box, root, cron="30 6", timezone="Europe/Riga")
    now = datetime.now(UTC) + timedelta(days=5)

    for _ in range(2):
        with database.session() as session:
            export.plan(session, now)

    with database.reading() as session:
        assert len(list_jobs(session)) == 1
        assert not export.is_any_due(session, now)
        assert now < export.get_export(session, "nightly").next_at <= now + timedelta(days=1)


def test_a_name_is_taken_once_and_free_after_its_removal(database: Database, box: SecretBox, root: Path) -> None:
    add(database, box, root)
    run(database, root)
    with pytest.raises(ConflictError):
        add(database, box, root)

    with database.session() as session:
        export.remove_export(session, "nightly", by="test")
    add(database, box, root)

    with database.reading() as session:
        assert session.query(ExportRun).count() == 0
    assert len(files(root)) == 12


def test_a_request_is_signed_as_in_amazons_own_example() -> None:
    bucket = Bucket("examplebucket", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    empty = hashlib.sha256(b"").hexdigest()

    headers = signed_headers(
        bucket, "GET", "https://examplebucket.s3.amazonaws.com/?lifecycle=", empty, datetime(2013, 5, 24, tzinfo=UTC)
    )

    assert headers["Authorization"].endswith("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://Store.Example.org:9000/b/x", "store.example.org:9000"),
        ("https://store.example.org:443/b/x", "store.example.org"),
        ("http://store.example.org:80/b/x", "store.example.org"),
    ],
)
def test_what_is_signed_is_the_host_that_is_sent(address: str, host: str) -> None:
    """Another spelling of it than in the request is a SignatureDoesNotMatch."""
    bucket, now = Bucket("b", "key", "secret"), datetime(2026, 3, 1, tzinfo=UTC)
    scheme = address.partition(":")[0]

    assert parse(address, allow_private=True).host_header == host
    assert signed_headers(bucket, "PUT", address, "0", now) == signed_headers(
        bucket, "PUT", f"{scheme}://{host}/b/x", "0", now
    )


def test_an_object_has_the_address_that_its_store_expects() -> None:
    amazon = Bucket("shop-data", "k", "s", region="eu-north-1")
    own = Bucket("shop-data", "k", "s", endpoint="https://store.example.org:9000/")

    assert amazon.url("a b/ü.csv") == "https://shop-data.s3.eu-north-1.amazonaws.com/a%20b/%C3%BC.csv"
    assert own.url("a/b.csv") == "https://store.example.org:9000/shop-data/a/b.csv"
    assert "secret" not in repr(Bucket("shop-data", "k", "secret"))
