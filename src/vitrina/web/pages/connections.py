"""Who is told what: the MQTT broker, webhooks, exports and chats, with what became of the last messages and files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from vitrina.chat import linking
from vitrina.errors import DeniedError, InputError, LimitError, VitrinaError
from vitrina.floor.bulletin import EVENTS
from vitrina.floor.extract import CHAIN, RAW, SHOWN, TABLES, rights_needed
from vitrina.outlet import broker, delivery, export, mqtt, webhook
from vitrina.outlet.address import without_query
from vitrina.outlet.broker import BrokerSettings
from vitrina.outlet.export import FORMATS, ExportSettings
from vitrina.product import parse_day
from vitrina.storage.accounts import SignedIn
from vitrina.storage.secrets import SecretBox
from vitrina.web import chat
from vitrina.web.auth import Who, check_form
from vitrina.web.chat import ShownCode
from vitrina.web.render import render, words_of
from vitrina.web.shops import shop_names
from vitrina.web.site import Site, TheSite

router = APIRouter(prefix="/connections", dependencies=[Depends(check_form)], include_in_schema=False)

Text = Annotated[str, Form()]
Ticked = Annotated[bool, Form()]
Chosen = Annotated[list[str] | None, Form()]

LOG_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """What happened just now: a message, a fault, or a secret or code that is shown this once."""

    done: str = ""
    failed: str = ""
    secret: str = ""
    code: ShownCode | None = None


@router.get("")
def connections(request: Request, site: TheSite, who: Who, done: str = "") -> Response:
    _ = words_of(request).gettext
    messages = {
        "saved": _("Saved."),
        "removed": _("Removed."),
        "sent": _("On its way. The log below says how it went."),
        "writing": _("The files are being written. The log below says how it went."),
    }
    return _page(request, site, who, Shown(done=messages.get(done, "")))


@router.post("/mqtt")
def set_mqtt(
    request: Request,
    site: TheSite,
    who: Who,
    host: Text,
    port: Annotated[int, Form(ge=0, le=65535)] = 0,
    tls: Ticked = False,
    ca: Text = "",
    username: Text = "",
    password: Text = "",
    prefix: Text = "vitrina",
    discovery: Text = "",
) -> Response:
    given = BrokerSettings(
        host.strip(), port, tls, ca.strip() or None, username, password or None, prefix.strip(), discovery.strip()
    )
    return _change(
        request, site, who, lambda session: broker.set_broker(session, given, box=_box(site), by=who.person_id)
    )


@router.post("/mqtt/test")
def test_mqtt(request: Request, site: TheSite, who: Who) -> Response:
    who.rights.require("connections.edit")
    _ = words_of(request).gettext
    with site.database.reading() as session:
        row = broker.find_broker(session)
    if row is None:
        return RedirectResponse("/connections", status_code=303)
    said = mqtt.try_out(row, _box(site).open(row.password) if row.password else None)
    if said == "connected":
        return _page(request, site, who, Shown(done=_("The broker took a test message.")))
    return _page(request, site, who, Shown(failed=f"{row.host}:{row.port}: {said}"))


@router.post("/mqtt/remove")
def remove_mqtt(request: Request, site: TheSite, who: Who) -> Response:
    return _change(request, site, who, lambda session: broker.remove_broker(session, by=who.person_id), done="removed")


@router.post("/webhooks")
def add_webhook(
    request: Request,
    site: TheSite,
    who: Who,
    url: Text,
    events: Chosen = None,
    shop: Text = "",
    allow_private: Ticked = False,
) -> Response:
    who.rights.require("connections.edit")
    try:
        _check_shops(site, [shop] if shop else [])
        with site.database.session() as session:
            _row, secret = webhook.add_webhook(
                session,
                url=url.strip(),
                events=events or [],
                known_events=EVENTS,
                shop=shop or None,
                allow_private=allow_private,
                box=_box(site),
                by=who.person_id,
            )
    except (InputError, DeniedError) as error:
        return _page(request, site, who, Shown(failed=str(error)), status_code=error.status)
    return _page(request, site, who, Shown(secret=secret))


@router.post("/webhooks/{webhook_id}/test")
def test_webhook(request: Request, site: TheSite, who: Who, webhook_id: str) -> Response:
    return _change(
        request, site, who, lambda session: delivery.tell_test(session, webhook_id, by=who.person_id), done="sent"
    )


@router.post("/webhooks/{webhook_id}/switch")
def switch_webhook(request: Request, site: TheSite, who: Who, webhook_id: str, active: Ticked = False) -> Response:
    def change(session: Any) -> None:
        webhook.switch(session, webhook_id, active=active, by=who.person_id)

    return _change(request, site, who, change)


@router.post("/webhooks/{webhook_id}/remove")
def remove_webhook(request: Request, site: TheSite, who: Who, webhook_id: str) -> Response:
    def change(session: Any) -> None:
        delivery.remove_webhook(session, webhook_id, by=who.person_id)

    return _change(request, site, who, change, done="removed")


@router.post("/deliveries/{delivery_id}/again")
def send_again(request: Request, site: TheSite, who: Who, delivery_id: str) -> Response:
    return _change(
        request, site, who, lambda session: delivery.tell_again(session, delivery_id, by=who.person_id), done="sent"
    )


@router.post("/exports")
def add_export(
    request: Request,
    site: TheSite,
    who: Who,
    name: Text,
    target: Text,
    tables: Chosen = None,
    shops: Chosen = None,
    form: Text = "parquet",
    cron: Text = "30 6",
    first_day: Text = "",
    endpoint: Text = "",
    region: Text = "us-east-1",
    access_key: Text = "",
    secret_key: Text = "",
    allow_private: Ticked = False,
) -> Response:
    def change(session: Any) -> None:
        given = ExportSettings(
            name=name.strip(),
            tables=tuple(tables or ()),
            target=target.strip(),
            shops=tuple(shops or ()),
            format=form,
            cron=cron,
            timezone=site.settings.timezone,
            endpoint=endpoint.strip(),
            region=region.strip(),
            access_key=access_key.strip(),
            secret_key=secret_key.strip(),
            allow_private=allow_private,
            first_day=_day(first_day),
        )
        _check_shops(site, given.shops)
        _require_content(who, given.tables, given.shops)
        export.add_export(
            session, given, known_tables=TABLES, root=site.settings.exports, box=_box(site), by=who.person_id
        )

    return _change(request, site, who, change)


@router.post("/exports/{name}/run")
def run_export(request: Request, site: TheSite, who: Who, name: str, day: Text = "") -> Response:
    def change(session: Any) -> None:
        export.ask_for_run(session, name, by=who.person_id, day=_day(day))

    return _change(request, site, who, change, done="writing")


@router.post("/exports/{name}/remove")
def remove_export(request: Request, site: TheSite, who: Who, name: str) -> Response:
    return _change(
        request, site, who, lambda session: export.remove_export(session, name, by=who.person_id), done="removed"
    )


@router.post("/chat/code")
def make_chat_code(request: Request, site: TheSite, who: Who) -> Response:
    who.rights.require("connections.view")
    try:
        return _page(request, site, who, Shown(code=chat.make_own_code(site, who)))
    except LimitError as error:
        return _page(request, site, who, Shown(failed=str(error)), status_code=error.status)


@router.post("/chat/{link_id}/unlink")
def unlink_chat(site: TheSite, who: Who, link_id: str) -> Response:
    with site.database.session() as session:
        linking.unlink(session, link_id, by=who.person_id, person_id=who.person_id)
    return RedirectResponse("/connections?done=saved", status_code=303)


def _change(
    request: Request, site: Site, who: SignedIn, change: Callable[[Any], Any], *, done: str = "saved"
) -> Response:
    """Do it in one transaction and show the page again; what is wrong with the form stands on top of it."""
    who.rights.require("connections.edit")
    try:
        with site.database.session() as session:
            change(session)
    except VitrinaError as error:
        return _page(request, site, who, Shown(failed=str(error)), status_code=error.status)
    return RedirectResponse(f"/connections?done={done}", status_code=303)


def _page(request: Request, site: Site, who: SignedIn, shown: Shown, *, status_code: int = 200) -> Response:
    who.rights.require("connections.view")
    with site.database.reading() as session:
        context: dict[str, Any] = {
            "broker": broker.find_broker(session),
            "webhooks": webhook.list_webhooks(session),
            "deliveries": delivery.deliveries(session, limit=LOG_LENGTH),
            "exports": export.list_exports(session),
            "failing": export.failing(session),
            "runs": export.runs(session, limit=LOG_LENGTH),
            "channels": chat.shown_channels(session),
            "own_chats": chat.own_chats(session, who),
            "has_bot": chat.has_bot(session),
        }
    context["addresses"] = {row.webhook_id: without_query(row.url) for row in context["webhooks"]}
    context["may_edit"] = who.rights.may("connections.edit")
    context["tables"] = _tables(who)
    return render(
        request,
        "connections.html",
        status_code=status_code,
        shown=shown,
        events=list(EVENTS),
        formats=FORMATS,
        shop_names=shop_names(site),
        root=site.settings.exports,
        **context,
    )


def _tables(who: SignedIn) -> list[str]:
    """Those that this person may take away in every shop."""
    names = [CHAIN, *SHOWN, *(name for name in TABLES if name.startswith(RAW))]
    return [name for name in names if all(who.rights.may(action) for action in rights_needed([name]))]


def _require_content(who: SignedIn, tables: tuple[str, ...], shops: tuple[str, ...]) -> None:
    """Nobody sends out what they may not take away themselves. Raises DeniedError."""
    for action in rights_needed(tables):
        for shop in shops or (None,):
            who.rights.require(action, shop)


def _check_shops(site: Site, slugs: list[str] | tuple[str, ...]) -> None:
    known = shop_names(site)
    for slug in slugs:
        if slug not in known:
            raise InputError(f"there is no shop {slug!r}")


def _day(text: str) -> date | None:
    return parse_day(text) if text else None


def _box(site: Site) -> SecretBox:
    return SecretBox(site.settings.home)
