"""The jobs that tell other systems about days and hours that are over, and write a day's files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from vitrina.errors import VitrinaError
from vitrina.floor import bulletin
from vitrina.floor.layout import Shop
from vitrina.floor.setup import shops
from vitrina.outlet import delivery, export, memory
from vitrina.outlet.export import Export, Part, Written
from vitrina.product import ShopClock, new_id
from vitrina.settings import Settings
from vitrina.storage.database import Database
from vitrina.storage.lake import Lake
from vitrina.storage.secrets import SecretBox
from vitrina.work.worker import Handler, RunningJob

logger = logging.getLogger(__name__)

JOB = "bulletin"
DAY_SETTLES = timedelta(minutes=10)
HOUR_SETTLES = timedelta(minutes=2)
DAYS_BACK, HOURS_BACK = 7, 24
"""What was missed while nothing ran is made up for, so far back."""


def handlers(settings: Settings, database: Database, lake: Lake) -> dict[str, Handler]:
    """What the jobs process does for other systems, by the job's name."""

    def write_files(job: RunningJob) -> str:
        return run_export(settings, database, lake, job)

    def tell_figures(job: RunningJob) -> str:
        return f"{tell_days_and_hours(settings, database, lake, job, datetime.now(UTC))} messages"

    return {export.JOB: write_files, JOB: tell_figures}


def run_export(settings: Settings, database: Database, lake: Lake, job: RunningJob) -> str:
    box = SecretBox(settings.home)

    def produce(row: Export, day: date) -> Iterator[Part]:
        from vitrina.floor.extract import parts, rights_needed
        from vitrina.floor.measures.day import day_figures

        figures = "figures.export" in rights_needed(row.tables)
        with database.reading() as session:
            chosen = [shops.on_day(session, shop, day) for shop in _shops_of(database, row.shops)]
        days = (
            (shop, day_figures(lake, shop, day, k_anonymity=settings.k_anonymity) if figures else None)
            for shop in chosen
        )
        return parts(lake, days, row.tables, day)

    def last_day(row: Export) -> date | None:
        now = datetime.now(UTC) - DAY_SETTLES
        days = [_clock(shop).business_day(now) for shop in _shops_of(database, row.shops)]
        return min(days) - timedelta(days=1) if days else None

    def on_written(session: Session, row: Export, day: date, files: list[Written]) -> None:
        said: dict[str, Any] = {
            "export": row.name,
            "day": day.isoformat(),
            "target": row.target,
            "manifest": f"manifests/{day}.json",
        }
        said |= {"files": [file.path for file in files]}
        delivery.tell(session, bulletin.EXPORT_READY, said, key=new_id())

    return export.run(
        database,
        job,
        produce=produce,
        last_day=last_day,
        open_target=lambda row: export.open_target(row, root=settings.exports, box=box),
        on_written=on_written,
    )


def tell_days_and_hours(settings: Settings, database: Database, lake: Lake, job: RunningJob, now: datetime) -> int:
    """Tell what has ended since it was told last, to those who want it; gives how many messages that makes."""
    count = 0
    for shop in _shops_of(database, []):
        job.check()
        try:
            count += _tell_days(settings, database, lake, shop, now)
            count += _tell_hours(settings, database, lake, shop, now)
        except VitrinaError as error:
            logger.warning("figures of %s are not told now: %s", shop.slug, error)
    return count


def _tell_days(settings: Settings, database: Database, lake: Lake, shop: Shop, now: datetime) -> int:
    from vitrina.floor.measures.day import day_figures

    key, last = f"day:{shop.slug}", _clock(shop).business_day(now - DAY_SETTLES) - timedelta(days=1)
    with database.reading() as session:
        wanted = delivery.wanted(session, bulletin.DAY_CLOSED, shop.slug)
        told = memory.recall(session, key).get(key, {}).get("day")
    if told and date.fromisoformat(told) > last:
        told = None  # by a clock that has been set back since
    first = max(date.fromisoformat(told) + timedelta(days=1), last - timedelta(days=DAYS_BACK - 1)) if told else last
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)] if wanted else []
    count = 0
    for day in days:
        with database.reading() as session:
            then = shops.on_day(session, shop, day)
        data = bulletin.day_data(day_figures(lake, then, day, k_anonymity=settings.k_anonymity))
        with database.session() as session:
            memory.remember(session, key, {"day": day.isoformat()})
            count += delivery.tell(session, bulletin.DAY_CLOSED, data, key=f"{shop.slug}:{day}", shop=shop.slug)
    return count


def _tell_hours(settings: Settings, database: Database, lake: Lake, shop: Shop, now: datetime) -> int:
    from vitrina.floor.measures.day import day_figures

    key, clock, until = f"hour:{shop.slug}", _clock(shop), now - HOUR_SETTLES
    with database.reading() as session:
        wanted = delivery.wanted(session, bulletin.HOURLY, shop.slug)
        told = memory.recall(session, key).get(key, {}).get("t")
    if told and datetime.fromisoformat(told) > until:
        told = None  # by a clock that has been set back since
    today = clock.business_day(until)
    over = [
        (day, hour)
        for day in (today - timedelta(days=1), today)
        for hour in clock.hours(day)
        if until - timedelta(hours=HOURS_BACK) < hour <= until - timedelta(hours=1)
    ]
    new = [(day, hour) for day, hour in over if hour > datetime.fromisoformat(told)] if told else over[-1:]
    count = 0
    for day, hour in new if wanted else []:
        start = hour.isoformat().replace("+00:00", "Z")
        figures = day_figures(lake, shop, day, k_anonymity=settings.k_anonymity, now=now if day == today else None)
        data = bulletin.hour_data(figures, start)
        with database.session() as session:
            memory.remember(session, key, {"t": hour.isoformat()})
            if data is not None:
                count += delivery.tell(session, bulletin.HOURLY, data, key=f"{shop.slug}:{start}", shop=shop.slug)
    return count


def _shops_of(database: Database, slugs: list[str]) -> list[Shop]:
    """These shops, or all; one that is not there any more is left out."""
    with database.reading() as session:
        there = [row.slug for row in shops.list_shops(session)]
        return [shops.load_shop(session, slug) for slug in there if not slugs or slug in slugs]


def _clock(shop: Shop) -> ShopClock:
    return ShopClock(shop.timezone, shop.day_starts)
