"""Files of each day for other systems: rows that say what, where and when; what was written; what is still missing.

`<shop>/<day>/<table>.parquet` (or .csv): the same day has the same names, so writing it again replaces it. Last comes
`manifests/<day>.json` with rows, bytes and SHA-256 of each: what it names is complete.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import ConflictError, InputError, NotFoundError, VitrinaError
from vitrina.outlet.address import parse
from vitrina.outlet.s3 import Bucket, TooLargeError
from vitrina.outlet.target import S3, Folder, Store, Target, check_root, folder_below, split_s3
from vitrina.product import check_timezone
from vitrina.storage.audit import record
from vitrina.storage.database import Base, Database
from vitrina.storage.secrets import SecretBox
from vitrina.work.cron import parse_cron
from vitrina.work.jobs import enqueue
from vitrina.work.worker import PERMANENT, JobStopped, RunningJob, TryAgain

logger = logging.getLogger(__name__)

JOB = "export.run"
MOST_TRIES = 6
FORMATS = ("parquet", "csv")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class Export(Base):
    """shops: slugs; none: every shop. cron: as `work.cron` reads it, in `timezone`. target: folder or s3://….

    first_day: ISO, the oldest day that is written by itself. next_at: when it runs next.
    """

    __tablename__ = "exports"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    tables: Mapped[list[str]]
    shops: Mapped[list[str]]
    format: Mapped[str] = mapped_column(sa.String(16))
    cron: Mapped[str] = mapped_column(sa.String(100))
    timezone: Mapped[str] = mapped_column(sa.String(64))
    target: Mapped[str] = mapped_column(sa.Text)
    endpoint: Mapped[str] = mapped_column(sa.Text)
    region: Mapped[str] = mapped_column(sa.String(64))
    access_key: Mapped[str] = mapped_column(sa.String(200))
    secret: Mapped[str | None] = mapped_column(sa.Text)
    allow_private: Mapped[bool]
    first_day: Mapped[str] = mapped_column(sa.String(10))
    next_at: Mapped[datetime]
    created_at: Mapped[datetime]


class Outcome(StrEnum):
    DONE = "done"
    FAILED = "failed"


class ExportRun(Base):
    """What became of one day, the last time that it was tried."""

    __tablename__ = "export_runs"

    export_name: Mapped[str] = mapped_column(sa.ForeignKey(Export.name), primary_key=True)
    day: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    outcome: Mapped[str] = mapped_column(sa.String(16))
    files: Mapped[int]
    rows: Mapped[int] = mapped_column(sa.BigInteger)
    bytes: Mapped[int] = mapped_column(sa.BigInteger)
    reason: Mapped[str] = mapped_column(sa.Text)
    ended_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What somebody enters. first_day: None is yesterday."""

    name: str
    tables: tuple[str, ...]
    target: str
    shops: tuple[str, ...] = ()
    format: str = "parquet"
    cron: str = "30 6"
    timezone: str = "UTC"
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = ""
    allow_private: bool = False
    first_day: date | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One file's content. shop: slug, or `chain` for what is about all of them."""

    shop: str
    table: str
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class Written:
    """One file as the manifest has it."""

    path: str
    shop: str
    table: str
    rows: int
    bytes: int
    sha256: str


class DayError(VitrinaError):
    """The files of this day cannot be made, wherever they go. lasting: another try alone would not mend it."""

    def __init__(self, reason: str, *, lasting: bool) -> None:
        super().__init__(reason)
        self.lasting = lasting


Produce = Callable[[Export, date], Iterable[Part]]


# ── rows ────────────────────────────────────────────────────────────────────────────────────────


def add_export(
    session: Session, given: ExportSettings, *, known_tables: Collection[str], root: Path, box: SecretBox, by: str
) -> Export:
    """Raises InputError for what does not fit, ConflictError for a name that is taken."""
    _check(given, known_tables, root)
    if session.get(Export, given.name) is not None:
        raise ConflictError(f"there is an export {given.name!r} already; remove it first, or choose another name")
    now = datetime.now(UTC)
    export = Export(
        name=given.name,
        tables=list(given.tables),
        shops=list(given.shops),
        format=given.format,
        cron=given.cron,
        timezone=given.timezone,
        target=given.target,
        endpoint=given.endpoint,
        region=given.region,
        access_key=given.access_key,
        secret=box.seal(given.secret_key) if given.secret_key else None,
        allow_private=given.allow_private,
        first_day=(given.first_day or now.date() - timedelta(days=1)).isoformat(),
        next_at=parse_cron(given.cron, given.timezone).next_after(now),
        created_at=now,
    )
    session.add(export)
    record(session, by, "export.add", f"export:{export.name}", None, _told(export))
    return export


def list_exports(session: Session) -> list[Export]:
    return list(session.scalars(sa.select(Export).order_by(Export.name)))


def get_export(session: Session, name: str) -> Export:
    export = session.get(Export, name)
    if export is None:
        raise NotFoundError(f"there is no export {name!r}; `vitrina export list` shows them")
    return export


def remove_export(session: Session, name: str, *, by: str) -> None:
    """With its log; the files that it wrote stay."""
    export = get_export(session, name)
    session.execute(sa.delete(ExportRun).where(ExportRun.export_name == name))
    record(session, by, "export.remove", f"export:{name}", _told(export), None)
    session.delete(export)


def runs(session: Session, *, name: str | None = None, limit: int = 50) -> list[ExportRun]:
    """The newest first."""
    query = sa.select(ExportRun).order_by(ExportRun.ended_at.desc(), ExportRun.day.desc()).limit(limit)
    return list(session.scalars(query if name is None else query.where(ExportRun.export_name == name)))


def failing(session: Session) -> dict[str, list[ExportRun]]:
    """Export to its days that could not be written, oldest first; every run tries them again."""
    failed = sa.select(ExportRun).join(Export).where(ExportRun.outcome == Outcome.FAILED)
    found: dict[str, list[ExportRun]] = {}
    for row in session.scalars(failed.where(ExportRun.day >= Export.first_day).order_by(ExportRun.day)):
        found.setdefault(row.export_name, []).append(row)
    return found


def last_done(session: Session) -> dict[str, datetime]:
    """Export to when it wrote a day last."""
    newest = sa.select(ExportRun.export_name, sa.func.max(ExportRun.ended_at)).where(ExportRun.outcome == Outcome.DONE)
    return {row[0]: row[1] for row in session.execute(newest.group_by(ExportRun.export_name))}


def ask_for_run(session: Session, name: str, *, by: str, day: date | None = None) -> str:
    """Enqueue a run now: of one day, though it was written before, or of what is missing. Gives the job's id."""
    export = get_export(session, name)
    said = {"day": day.isoformat() if day else None}
    record(session, by, "export.run", f"export:{name}", None, said)
    return enqueue(session, JOB, {"export": export.name, **said}, max_attempts=MOST_TRIES)


def is_any_due(session: Session, now: datetime) -> bool:
    """Only reads."""
    return session.scalar(sa.select(Export.name).where(Export.next_at <= now).limit(1)) is not None


def plan(session: Session, now: datetime) -> None:
    """Enqueue a run of each export whose time has come; one that was missed for days runs once and catches up."""
    for export in session.scalars(sa.select(Export).where(Export.next_at <= now)):
        key = f"export:{export.name}:{export.next_at.isoformat(timespec='minutes')}"
        enqueue(session, JOB, {"export": export.name, "day": None}, key=key, max_attempts=MOST_TRIES)
        export.next_at = parse_cron(export.cron, export.timezone).next_after(now)


def missing_days(session: Session, export: Export, last: date) -> list[date]:
    """Days from the first to `last` that are not written yet, oldest first."""
    done = sa.select(ExportRun.day).where(ExportRun.export_name == export.name, ExportRun.outcome == Outcome.DONE)
    by_now = ExportRun.ended_at <= datetime.now(UTC)  # a clock that was ahead has ended days before they came
    written, first = set(session.scalars(done.where(by_now))), date.fromisoformat(export.first_day)
    days = (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
    return [day for day in days if day.isoformat() not in written]


# ── one run ─────────────────────────────────────────────────────────────────────────────────────


def open_target(export: Export, *, root: Path, box: SecretBox) -> Target:
    if not export.target.startswith(S3):
        return Folder(folder_below(check_root(root), export.target))
    bucket, prefix = split_s3(export.target)
    secret_key = box.open(export.secret) if export.secret else ""
    return Store(
        Bucket(bucket, export.access_key, secret_key, export.region, export.endpoint, export.allow_private), prefix
    )


def run(
    database: Database,
    job: RunningJob,
    *,
    produce: Produce,
    last_day: Callable[[Export], date | None],
    open_target: Callable[[Export], Target],
    on_written: Callable[[Session, Export, date, list[Written]], None],
) -> str:
    """Handler of the job: write the day that was asked for, or every day that is missing, oldest first.

    A day whose own files cannot be made is noted and does not hold up those after it; the job then fails at its end, so
    that the day is tried again. With a target that takes nothing, no other day would fare better: that ends the run.
    last_day: the newest day that is over in every shop of the export. on_written: in the transaction that says done.
    """
    name, asked = str(job.payload["export"]), job.payload.get("day")
    with database.reading() as session:
        export = session.get(Export, name)
        last = last_day(export) if export else None
        if export is None:
            return "the export was removed"
        days = [date.fromisoformat(asked)] if asked else missing_days(session, export, last) if last else []
    failed: dict[date, DayError] = {}
    for number, day in enumerate(days):
        job.check()
        job.progress = number / len(days)
        try:
            if last is None or day > last:
                raise InputError(f"day: {day} is not over yet in every shop of export {name}; choose an earlier day")
            written = write_day(export, day, produce, open_target(export))
        except JobStopped:
            raise
        except VitrinaError as error:
            _note(database, ExportRun(**_run(export, day, Outcome.FAILED, [], str(error))))
            if not isinstance(error, DayError):
                raise
            failed[day] = error
            continue
        with database.session() as session:
            session.merge(ExportRun(**_run(export, day, Outcome.DONE, written, "")))
            on_written(session, export, day, written)
    if failed:
        raise _end_of(name, failed, len(days))
    return f"{len(days)} days written" if days else "nothing was missing"


def _end_of(name: str, failed: Mapping[date, DayError], days: int) -> VitrinaError:
    """What the queue is told: to try the job again, if that may help any of the days."""
    day, first = next(iter(failed.items()))
    said = (
        f"{len(failed)} of {days} days could not be written, first {day}: {first}. They are tried again whenever the "
        f"export runs; once mended, `vitrina export run {name}` does so now."
    )
    return InputError(said) if all(error.lasting for error in failed.values()) else TryAgain(said)


def write_day(export: Export, day: date, produce: Produce, target: Target) -> list[Written]:
    """Every part as a file, and the manifest when all of them are there. Raises DayError, and what the target does."""
    with tempfile.TemporaryDirectory(prefix="vitrina-export-") as folder:
        written, file = [], Path(folder) / "part"
        for part in _made(export, day, produce, file):
            written.append(_written(export, day, part, file))
            _put(target, written[-1].path, file)
        manifest = Path(folder) / "manifest.json"
        manifest.write_text(json.dumps(_manifest(export, day, written), indent=1), encoding="utf-8")
        target.put(f"manifests/{day}.json", manifest)
    return written


def _made(export: Export, day: date, produce: Produce, file: Path) -> Iterator[Part]:
    """Each part when `file` holds it. What goes wrong until then is the day's own and not the target's: DayError."""
    try:
        for part in produce(export, day):
            if export.format == "csv":
                pyarrow.csv.write_csv(part.rows, file)
            else:
                pyarrow.parquet.write_table(part.rows, file, compression="zstd")
            yield part
    except JobStopped:
        raise
    except VitrinaError as error:
        raise DayError(str(error), lasting=isinstance(error, PERMANENT)) from error
    except Exception as error:  # whatever it is, later days shall not wait for it
        logger.exception("export %s: the files of %s cannot be made", export.name, day)
        raise DayError(f"{type(error).__name__}; see the log", lasting=False) from error


def _put(target: Target, name: str, file: Path) -> None:
    try:
        target.put(name, file)
    except TooLargeError as error:
        raise DayError(str(error), lasting=True) from error


def _written(export: Export, day: date, part: Part, file: Path) -> Written:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    name = f"{part.shop}/{day}/{part.table}.{export.format}"
    return Written(name, part.shop, part.table, part.rows.num_rows, file.stat().st_size, digest)


def _manifest(export: Export, day: date, written: list[Written]) -> dict[str, Any]:
    return {
        "export": export.name,
        "day": day.isoformat(),
        "format": export.format,
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": [asdict(file) for file in written],
    }


def _run(export: Export, day: date, outcome: Outcome, written: list[Written], reason: str) -> dict[str, Any]:
    return {
        "export_name": export.name,
        "day": day.isoformat(),
        "outcome": outcome,
        "files": len(written),
        "rows": sum(file.rows for file in written),
        "bytes": sum(file.bytes for file in written),
        "reason": reason,
        "ended_at": datetime.now(UTC),
    }


def _note(database: Database, run: ExportRun) -> None:
    with database.session() as session:
        session.merge(run)


def _check(given: ExportSettings, known_tables: Collection[str], root: Path) -> None:
    if not _NAME.fullmatch(given.name):
        raise InputError(
            f"name: expected small letters, digits and dashes such as to-warehouse, got {given.name[:80]!r}"
        )
    unknown = [table for table in given.tables if table not in known_tables]
    if unknown or not given.tables:
        named = ", ".join(unknown) or "none"
        raise InputError(f"tables: expected at least one of {', '.join(known_tables)}; got {named}")
    if given.format not in FORMATS:
        raise InputError(f"format: expected one of {', '.join(FORMATS)}, got {given.format[:20]!r}")
    parse_cron(given.cron, check_timezone(given.timezone))
    if not given.target.startswith(S3):
        if not given.target or "://" in given.target:
            raise InputError(f"target: expected a folder or s3://BUCKET/PREFIX, got {given.target[:200]!r}")
        folder_below(root, given.target)
        return
    split_s3(given.target)
    if not given.access_key or not given.secret_key:
        raise InputError("target: an object store needs an access key and its secret")
    if given.endpoint:
        parse(given.endpoint, allow_private=given.allow_private)


def _told(export: Export) -> dict[str, Any]:
    """For the audit log."""
    names = ("tables", "shops", "format", "cron", "timezone", "target", "endpoint", "region", "access_key", "first_day")
    return {name: getattr(export, name) for name in names}
