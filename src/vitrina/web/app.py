"""The web application: `create_app(settings)` builds everything that it needs; nothing happens at import.

Outermost first: security headers, compression, the last resort for errors nobody expected, the gate, the routes.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files

from anyio import create_task_group, move_on_after, sleep
from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from vitrina import __version__
from vitrina.errors import InputError, VitrinaError
from vitrina.floor.measures.rows import prepare
from vitrina.floor.store import FLOOR_TABLES
from vitrina.lens.catalog import Catalog
from vitrina.lens.lakestore import LENS_TABLES, EventLog
from vitrina.settings import Settings
from vitrina.storage import accounts
from vitrina.storage.database import Database
from vitrina.storage.engine import open_lake
from vitrina.storage.rights import ANALYST
from vitrina.web import problems
from vitrina.web.api import ask as ask_api
from vitrina.web.api import cameras as cameras_api
from vitrina.web.api import chain as chain_api
from vitrina.web.api import feeds as feeds_api
from vitrina.web.api import lens as lens_api
from vitrina.web.api import period as period_api
from vitrina.web.api import routes as api
from vitrina.web.auth import Door, is_loopback
from vitrina.web.brakes import Brakes
from vitrina.web.cards import ENGINES, MEASURES, examined, query_text
from vitrina.web.chain import look_ahead
from vitrina.web.figures import GLANCE_S, Figures, Now, utc_now
from vitrina.web.gate import OPEN_ROUTES, Gate
from vitrina.web.headers import ONE_YEAR_S, SecurityHeaders
from vitrina.web.live import LiveCameras
from vitrina.web.pages import (
    account,
    ask,
    audit,
    cameras,
    cashback,
    catalog,
    chain,
    connections,
    day,
    demo_shop,
    go,
    health,
    lens,
    lens_app,
    lens_report,
    live,
    measures,
    people,
    period,
    postback,
    shops,
    sign_in,
    wallet,
)
from vitrina.web.periods import add_up
from vitrina.web.render import Stage, compile_templates
from vitrina.web.shops import all_shops, first_shops
from vitrina.web.site import Site
from vitrina.web.timing import RequestTimes, Timing

logger = logging.getLogger(__name__)

LARGEST_BODY = 64 * 1024
LONGEST_WARM_UP_S = 3.0
DEMO_EMAIL = "demo@vitrina.invalid"


def create_app(
    settings: Settings, *, demo: bool = False, captions: Mapping[str, str] | None = None, now: Now = utc_now
) -> FastAPI:
    """The application for these settings, with the database brought up to date.

    demo: whoever sits at this machine is let in as a person who sees everything and changes nothing.
    captions: shop slug to a sentence that stands on top of its pages.
    Raises InputError for a demo that would listen to the network.
    """
    if demo and not is_loopback(settings.host):
        raise InputError(f"host: the demo lets everybody in, so it must stay on 127.0.0.1, got {settings.host!r}")
    database = Database(settings.database)
    database.migrate()
    lake = open_lake(settings, FLOOR_TABLES | LENS_TABLES, engine=settings.engine)
    door = Door(database, settings, demo=demo)
    times = RequestTimes()
    app = FastAPI(
        title="Vitrina",
        summary="See your shop the way you see your website.",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        max_body_size=LARGEST_BODY,
        middleware=[
            Middleware(Timing, times=times),
            Middleware(SecurityHeaders, secure=door.secure),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
            Middleware(problems.LastResort),
            Middleware(Gate, door=door),
        ],
        exception_handlers={
            VitrinaError: problems.on_our_error,
            HTTPException: problems.on_http_error,
            RequestValidationError: problems.on_invalid_request,
        },
    )
    app.state.stage = stage = Stage(settings, door, demo)
    app.state.site = Site(
        settings=settings,
        database=database,
        lake=lake,
        figures=Figures(lake, k_anonymity=settings.k_anonymity, now=now),
        live=LiveCameras(database),
        stage=stage,
        demo_person=_demo_person(database) if demo else None,
        captions=dict(captions or {}),
        times=times,
        events=EventLog(lake, "web"),
        catalog=Catalog(settings, database),
        brakes=Brakes(lambda: now().timestamp()),
    )
    app.mount("/static", _Static(directory=str(files("vitrina.web") / "static")), name="static")
    for module in (
        sign_in,
        shops,
        chain,
        cameras,
        day,
        period,
        live,
        measures,
        people,
        account,
        audit,
        connections,
        health,
        api,
        chain_api,
        period_api,
        cameras_api,
        ask,
        ask_api,
    ):
        app.include_router(module.router)
    if "lens" in settings.parts:
        for page in (
            lens,
            lens_app,
            catalog,
            demo_shop,
            lens_api,
            feeds_api,
            go,
            postback,
            wallet,
            cashback,
            lens_report,
        ):
            app.include_router(page.router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    site: Site = app.state.site
    await run_sync(site.figures.warm)
    await run_sync(compile_templates)
    with move_on_after(LONGEST_WARM_UP_S):
        await _ahead(_see_first_page, site)
    async with create_task_group() as background:
        background.start_soon(_look_ahead, site)
        background.start_soon(_add_up, site)
        yield
        background.cancel_scope.cancel()
    gc.unfreeze()  # else DuckDB's module finds its own objects alive at the end, and says so aloud
    await run_sync(site.figures.close)
    await run_sync(site.events.close)
    site.database.dispose()


async def _look_ahead(site: Site) -> None:
    """Keep the first page of the list and the chain's ready: a second's work a minute, and nobody waits."""
    while True:
        await _ahead(_see_chain, site)
        await _ahead(_write_out_a_query)
        await _ahead(_settle)
        await sleep(GLANCE_S)
        await _ahead(_see_first_page, site)


async def _ahead(step: Callable[..., None], *given: Site) -> None:
    """In a thread. What goes wrong is logged and ends no loop: the next minute may have more luck."""
    try:
        await run_sync(step, *given, abandon_on_cancel=True)
    except Exception:  # the edge of the background loops
        logger.exception("in the background: %s", step.__name__.strip("_").replace("_", " "))


def _see_chain(site: Site) -> None:
    look_ahead(site)
    if len(all_shops(site)) <= shops.A_PAGE:  # a large chain's checks take seconds: they wait until somebody asks
        examined(site)


@cache
def _write_out_a_query() -> None:
    """Writing SQL down loads each engine's dialect, which takes a third of a second the first time."""
    for dialect in ENGINES:
        query_text(next(iter(MEASURES.values())), None, dialect=dialect)


@cache
def _settle() -> None:
    """What is loaded by now stays: to look through it for garbage took 0.2 s now and then, in the middle of a page."""
    gc.collect()
    gc.freeze()


async def _add_up(site: Site) -> None:
    """Not while everybody comes back after a start: a minute later."""
    await sleep(GLANCE_S)
    await _ahead(_add_up_first_page, site)


def _add_up_first_page(site: Site) -> None:
    """What a worker adds up each hour, once at the start, for the shops that are asked about first."""
    add_up(site, first_shops(site, shops.A_PAGE))


def _see_first_page(site: Site) -> None:
    soon = first_shops(site, shops.A_PAGE)
    for shop in soon:
        prepare(shop, site.lake.dialect)
    site.figures.look_ahead(soon)


class _Static(StaticFiles):
    """Files whose address holds their fingerprint never change; the others are asked for again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        named = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = f"public, max-age={ONE_YEAR_S}, immutable" if named else "no-cache"
        return response


def _demo_person(database: Database) -> str:
    with database.session() as session:
        person = accounts.find_person(session, DEMO_EMAIL)
        if person is None:
            person = accounts.create_person(session, email=DEMO_EMAIL, name="Demo", by="system")
        accounts.grant(session, person.person_id, ANALYST, shop=None, by="system")
        return person.person_id


__all__ = ["OPEN_ROUTES", "create_app"]
