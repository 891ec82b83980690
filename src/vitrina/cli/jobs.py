"""The process of `vitrina up` that works jobs off: what each job does, and when."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime, timedelta

from vitrina.cli import bulletins
from vitrina.cli.lake import delete_old, open_lake
from vitrina.floor.setup import shops
from vitrina.outlet import delivery
from vitrina.settings import Settings
from vitrina.storage import accounts
from vitrina.storage.database import Database
from vitrina.storage.journal import recover_journals
from vitrina.work.cron import parse_cron
from vitrina.work.jobs import Schedule, forget_finished
from vitrina.work.supervise import leave_with_parent
from vitrina.work.worker import Handler, RunningJob, Worker

FINISHED_JOBS_DAYS = 30


def work_off(settings: Settings, *, is_demo: bool) -> None:
    """The process that works jobs off: upkeep of the lake each hour and night, in the demo also the next hour."""
    leave_with_parent()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    database = Database(settings.database)
    try:
        Worker(database, handlers(settings, database), schedules=schedules(settings, is_demo=is_demo)).run_forever(stop)
    finally:
        database.dispose()


def handlers(settings: Settings, database: Database) -> dict[str, Handler]:
    """What each job does, by its name."""
    lake = open_lake(settings)

    def compact(_job: RunningJob) -> str:
        return f"{sum(lake.compact().values())} files replaced"

    def retain(_job: RunningJob) -> str:
        return f"{sum(delete_old(settings, lake, datetime.now(UTC)).values())} rows deleted"

    def sums(job: RunningJob) -> str:
        from vitrina.cli.period import add_up_days

        return f"{add_up_days(settings, lake, check=job.check)} days added up"

    def tidy(_job: RunningJob) -> None:
        with database.session() as session:
            accounts.forget_expired(session)
            forget_finished(session, datetime.now(UTC) - timedelta(days=FINISHED_JOBS_DAYS))
            delivery.forget(session, datetime.now(UTC) - timedelta(days=FINISHED_JOBS_DAYS))

    def recover(_job: RunningJob) -> str:
        with database.reading() as session:
            there = [shops.load_shop(session, row.slug) for row in shops.list_shops(session)]
        keep = {(shop.slug, camera.slug) for shop in there for camera in shop.layout.cameras}
        rows = recover_journals(settings.home / "journal", lake, keep=keep)
        return f"{lake.recover()} batches and {rows} rows of stopped cameras recovered"

    def simulate(_job: RunningJob) -> None:
        from vitrina.cli.simulate import top_up

        top_up(settings)

    return {
        **bulletins.handlers(settings, database, lake),
        **_lens_handlers(settings, database),
        "lake.compact": compact,
        "lake.retain": retain,
        "lake.recover": recover,
        "floor.sums": sums,
        "tidy": tidy,
        "demo.hour": simulate,
    }


def _lens_handlers(settings: Settings, database: Database) -> dict[str, Handler]:
    if "lens" not in settings.parts:
        return {}
    from vitrina.lens import intake
    from vitrina.lens.demo.home import JOB

    def settle(_job: RunningJob) -> str:
        return settle_cashback(settings, database, datetime.now(UTC))

    def sync(job: RunningJob) -> str:
        from vitrina.lens.sync import sync_job

        return sync_job(settings, database, job)

    def demo(job: RunningJob) -> str:
        from vitrina.lens.demo.fill import fill

        def on_progress(done: int, all_: int) -> None:
            job.check()
            job.progress = done / all_ if all_ else 0.0

        return fill(settings, database, on_progress=on_progress)

    def forget(job: RunningJob) -> str:
        from vitrina.lens.forgetting import forget_job

        return forget_job(settings, job)

    jobs: dict[str, Handler] = {intake.SYNC_JOB: sync, JOB: demo, "lens.settle": settle, "lens.forget": forget}
    return {**intake.handlers(settings, database), **jobs}


def settle_cashback(settings: Settings, database: Database, now: datetime) -> str:
    """Close what no network decided on, and forget clicks that led to nothing."""
    from vitrina.lens import booking, missing

    with database.session() as session:
        expired = booking.expire(session, before=now - timedelta(days=settings.pending_days), now=now)
        forgotten = missing.forget_clicks(session, now - timedelta(days=settings.lens_events_days))
    return f"{expired} expired, {forgotten} clicks forgotten"


def schedules(settings: Settings, *, is_demo: bool) -> list[Schedule]:
    """When they are done: upkeep is spread over the hour and the night."""
    zone = settings.timezone
    found = [
        Schedule("lake.compact", parse_cron("7 *", zone), "lake.compact"),
        Schedule("floor.sums", parse_cron("12 *", zone), "floor.sums"),
        Schedule("lake.recover", parse_cron("37 *", zone), "lake.recover"),
        Schedule("lake.retain", parse_cron("20 3", zone), "lake.retain"),
        Schedule("tidy", parse_cron("50 3", zone), "tidy"),
        Schedule("bulletin", parse_cron("5,20,35,50 *", zone), bulletins.JOB),
    ]
    if "lens" in settings.parts:
        found.append(Schedule("lens.due", parse_cron("*/5 *", zone), "lens.due"))
        if (settings.lens / "catalog.db").exists():
            found.append(Schedule("lens.sync", parse_cron("25 *", zone), "lens.sync"))
        found.append(Schedule("lens.settle", parse_cron("40 3", zone), "lens.settle"))
        found.append(Schedule("lens.forget", parse_cron("0 4", zone), "lens.forget"))
    if is_demo:
        found.append(Schedule("demo.hour", parse_cron("1 *", zone), "demo.hour"))
    return found
