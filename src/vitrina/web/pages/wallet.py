"""*My cashback*: a shopper's own page by a secret link, without an account."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from vitrina.chat import linking
from vitrina.chat.linking import Owner
from vitrina.errors import InputError, LimitError, NotFoundError, VitrinaError
from vitrina.lens import clicks, ledger, missing, wallet
from vitrina.lens.clicks import LensClick
from vitrina.lens.ledger import LensCashback
from vitrina.lens.missing import LensMissing
from vitrina.lens.shops import list_shops
from vitrina.web import chat, wallet_cookie
from vitrina.web.auth import address_of, check_form
from vitrina.web.chat import ShownCode
from vitrina.web.problems import wants_page
from vitrina.web.render import render, words_of
from vitrina.web.site import Site, TheSite

router = APIRouter(prefix="/cashback", dependencies=[Depends(check_form)], include_in_schema=False)

PRIVATE = {"Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex, nofollow", "Cache-Control": "no-store"}
"""No other site learns the link. With `no-referrer` browsers would send the page's own forms as from nowhere."""

SHOWN_CLICKS = 50

Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Line:
    """One click or order as the shopper sees it. order: None as long as no network has told of it."""

    name: str
    shop: str
    at: datetime
    click: LensClick | None
    order: LensCashback | None = None
    missed: LensMissing | None = None


@router.get("")
def begin(request: Request, site: TheSite) -> Response:
    """To this browser's page, or the button that makes one."""
    secret = wallet_cookie.secret_of(request, site)
    with site.database.reading() as session:
        known = wallet.known_wallet(session, secret)
    if known:
        return RedirectResponse(f"/cashback/{secret}", 303, headers=PRIVATE)
    return _private(render(request, "wallet_begin.html"))


@router.post("")
def make(request: Request, site: TheSite) -> Response:
    site.brakes.count("wallet", address_of(request), per_minute=10, at_once=10)
    with site.database.session() as session:
        secret = wallet.open_wallet(session)
    path = f"/cashback/{secret}"
    url = f"{site.settings.base_url}{path}"
    response: Response = RedirectResponse(f"{path}?new=1", 303) if wants_page(request) else _told(url)
    wallet_cookie.keep(response, site, secret)
    return _private(response)


@router.get("/{secret}")
def my_cashback(request: Request, site: TheSite, secret: str, new: bool = False, sent: bool = False) -> Response:
    site.brakes.count("wallet page", address_of(request), per_minute=240, at_once=60)
    _ = words_of(request).gettext
    done = _("Thank you. We ask the shop and answer here.") if sent else ""
    return _page(request, site, secret, done=done, is_new=new)


@router.post("/{secret}/keep")
def keep(site: TheSite, secret: str) -> Response:
    """Only when asked: else somebody's link would make another's clicks theirs."""
    with site.database.reading() as session:
        wallet.find_wallet(session, secret)
    response = RedirectResponse(f"/cashback/{secret}", 303)
    wallet_cookie.keep(response, site, secret)
    return _private(response)


@router.post("/{secret}/forget")
def forget(site: TheSite, secret: str) -> Response:
    """The link goes on working; later clicks of this browser belong to nobody."""
    response = RedirectResponse(f"/cashback/{secret}", 303)
    wallet_cookie.forget(response, site)
    return _private(response)


@router.post("/{secret}/chat")
def link_chat(request: Request, site: TheSite, secret: str) -> Response:
    """A code for the bot: what is clicked in that chat is collected here, in whatever browser it opens."""
    site.brakes.count("wallet chat", address_of(request), per_minute=6, at_once=6)
    with site.database.reading() as session:
        owner = wallet.find_wallet(session, secret).wallet
    try:
        code = chat.make_code(site, Owner(wallet=owner), by="shopper")
    except LimitError as error:
        return _page(request, site, secret, failed=str(error), status_code=error.status)
    return _page(request, site, secret, code=code)


@router.post("/{secret}/missing")
def miss(
    request: Request, site: TheSite, secret: str, click: Text, order_number: Text = "", note: Text = ""
) -> Response:
    site.brakes.count("missing", address_of(request), per_minute=6, at_once=10)
    try:
        with site.database.session() as session:
            owner = wallet.find_wallet(session, secret).wallet
            missing.miss(session, owner, click, order_id=order_number, note=note, now=datetime.now(UTC))
    except InputError as error:
        return _page(request, site, secret, failed=str(error), status_code=error.status)
    return _private(RedirectResponse(f"/cashback/{secret}?sent=1", 303))


def _page(
    request: Request,
    site: Site,
    secret: str,
    *,
    done: str = "",
    failed: str = "",
    is_new: bool = False,
    code: ShownCode | None = None,
    status_code: int = 200,
) -> Response:
    try:
        context = _context(site, secret)
    except NotFoundError as error:
        return _private(_refusal(request, error))
    kept = wallet_cookie.secret_of(request, site) == secret
    url = f"{site.settings.base_url}/cashback/{secret}"
    context |= {
        "secret": secret,
        "url": url,
        "kept": kept,
        "is_new": is_new,
        "done": done,
        "failed": failed,
        "code": code,
    }
    return _private(render(request, "wallet.html", status_code=status_code, **context))


def _context(site: Site, secret: str) -> dict[str, Any]:
    with site.database.reading() as session:
        owner = wallet.find_wallet(session, secret).wallet
        orders = ledger.of_wallet(session, owner)
        clicked = clicks.clicks_of(session, owner, limit=SHOWN_CLICKS)
        by_id = {row.click_id: row for row in clicked}
        for order in orders:  # a click may be older than those shown
            if order.click_id and order.click_id not in by_id:
                found = clicks.find_click(session, order.click_id)
                if found is not None:
                    by_id[order.click_id] = found
        missed = missing.missed_by(session, owner)
        names = {shop.slug: shop.name for shop in list_shops(session)}
        has_bot, chats = chat.has_bot(session), linking.count_of_wallet(session, owner)
    lines = _lines(orders, by_id, missed, names)
    return {"has_bot": has_bot, "chats": chats} | {
        "bought": [line for line in lines if line.order or line.missed],
        "only_clicked": [line for line in lines if not (line.order or line.missed)],
        "sums": _sums(orders),
        "longest": missing.LONGEST_NOTE,
    }


def _lines(
    orders: list[LensCashback], clicked: dict[str, LensClick], missed: dict[str, LensMissing], names: dict[str, str]
) -> list[Line]:
    """Orders and the clicks that led to none yet, newest first."""
    lines = []
    for order in orders:
        click = clicked.get(order.click_id or "")
        name = click.name if click else order.order_id
        lines.append(Line(name, names.get(order.shop, order.shop), order.ordered_at, click, order))
    bought = {order.click_id for order in orders}
    for click in clicked.values():
        if click.click_id not in bought:
            shop = names.get(click.shop, click.shop)
            lines.append(Line(click.name, shop, click.t, click, missed=missed.get(click.click_id)))
    return sorted(lines, key=lambda line: line.at, reverse=True)


def _sums(orders: list[LensCashback]) -> list[tuple[str, dict[str, int]]]:
    """By currency: minor units by state. Currencies are never added."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(ledger.STATES, 0))
    for order in orders:
        if order.cashback_minor:
            found[order.currency][order.state] += order.cashback_minor
    return sorted(found.items())


def _refusal(request: Request, error: VitrinaError) -> Response:
    if wants_page(request):
        return render(request, "problem.html", status_code=error.status, status=error.status, detail=str(error))
    return JSONResponse({"status": error.status, "detail": str(error)}, error.status)


def _told(url: str) -> Response:
    return JSONResponse({"url": url}, status_code=201)


def _private(response: Response) -> Response:
    response.headers.update(PRIVATE)
    return response
