"""The manager's cashback: the ledger, decisions in bulk, missing purchases, terms and networks, one claim."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from vitrina.errors import InputError, VitrinaError
from vitrina.lens import booking, ledger, missing, networks, terms, trace
from vitrina.lens.cashback import parse_category
from vitrina.lens.ledger import APPROVED, PAID, REJECTED, STATES, LensCashback, Wanted
from vitrina.lens.sheet import to_csv
from vitrina.lens.shops import list_shops
from vitrina.lens.terms import TermSettings
from vitrina.product import parse_day
from vitrina.storage import directory
from vitrina.storage.accounts import SignedIn
from vitrina.web.auth import Who, check_form
from vitrina.web.render import render, words_of
from vitrina.web.site import Site, TheSite

router = APIRouter(prefix="/catalog/cashback", dependencies=[Depends(check_form)], include_in_schema=False)

SHOWN = 200
LONGEST_WHY = 300
SHEET = (
    *("cashback_id", "ordered_at", "shop", "network", "order_id", "action", "state", "order_minor"),
    *("commission_minor", "cashback_minor", "currency", "payable_on", "sub_id", "changed_at"),
)

Text = Annotated[str, Form()]
Asked = Annotated[str, Query(max_length=100)]


def asked_for(
    state: Asked = "",
    shop: Asked = "",
    network: Asked = "",
    first: Annotated[str, Query(alias="from", max_length=10)] = "",
    last: Annotated[str, Query(alias="to", max_length=10)] = "",
) -> Wanted:
    """The filter of the page, out of its address."""
    if state and state not in STATES:
        raise InputError(f"state: expected one of {', '.join(STATES)}, got {state[:20]!r}")
    return Wanted(state, shop, network, day_of("from", first), day_of("to", last))


Filter = Annotated[Wanted, Depends(asked_for)]


@router.get("")
def show(request: Request, site: TheSite, who: Who, wanted: Filter, done: str = "") -> Response:
    _ = words_of(request).gettext
    messages = {"answered": _("Answered.")}
    return _page(request, site, who, wanted, done=messages.get(done, ""))


@router.get("/ledger.csv")
def as_csv(site: TheSite, who: Who, wanted: Filter) -> Response:
    who.rights.require("cashback.view")
    with site.database.reading() as session:
        rows = ledger.list_cashback(session, wanted)
    return sheet(to_csv(SHEET, ([getattr(row, name) for name in SHEET] for row in rows)), "cashback")


@router.post("/move")
def move(
    request: Request,
    site: TheSite,
    who: Who,
    to: Text,
    ids: Annotated[list[str] | None, Form()] = None,
    why: Text = "",
    back: Text = "",
) -> Response:
    """Approve, reject or pay what was ticked; what may not move is named."""
    who.rights.require("cashback.edit")
    if to not in (APPROVED, REJECTED, PAID):
        raise InputError(f"to: expected approved, rejected or paid, got {to[:20]!r}")
    words = words_of(request)
    with site.database.session() as session:
        reason = why.strip()[:LONGEST_WHY] or words.gettext("decided by hand")
        now = datetime.now(UTC)
        moved, kept = booking.move_all(session, ids or [], to, who=who.person_id, why=reason, now=now)
    done = words.ngettext("{count} changed.", "{count} changed.", moved).format(count=moved)
    return _page(request, site, who, _wanted_of(back), done=done, kept=kept)


@router.post("/missing/{click_id}")
def answer(
    request: Request, site: TheSite, who: Who, click_id: str, found: Annotated[bool, Form()], words: Text = ""
) -> Response:
    who.rights.require("cashback.edit")
    try:
        with site.database.session() as session:
            missing.answer(session, click_id, found=found, words=words, who=who.person_id, now=datetime.now(UTC))
    except VitrinaError as error:
        return _page(request, site, who, Wanted(), kept=[str(error)], status_code=error.status)
    return RedirectResponse("/catalog/cashback?done=answered", status_code=303)


@router.get("/trace")
def find_trace(who: Who, sub_id: Asked = "") -> Response:
    """The field on the page: an address of its own for each claim."""
    who.rights.require("cashback.view")
    target = f"/catalog/cashback/trace/{urlencode({'': sub_id.strip()})[1:]}" if sub_id.strip() else "/catalog/cashback"
    return RedirectResponse(target, status_code=303)


@router.get("/trace/{sub_id:path}")
def show_trace(request: Request, site: TheSite, who: Who, sub_id: str) -> Response:
    who.rights.require("cashback.view")
    with site.database.reading() as session:
        found = trace.trace(session, site.lake, sub_id)
        names = directory.names(session)
    return render(request, "cashback_trace.html", found=found, names=names)


# terms and networks ---------------------------------------------------------------------------------------------------


@router.get("/terms")
def show_terms(request: Request, site: TheSite, who: Who, done: str = "") -> Response:
    _ = words_of(request).gettext
    messages = {"saved": _("Saved."), "removed": _("Removed.")}
    return _terms_page(request, site, who, done=messages.get(done, ""))


@router.post("/terms")
def set_term(
    request: Request,
    site: TheSite,
    who: Who,
    shop: Text,
    percent: Text = "",
    amount: Text = "",
    category: Text = "",
    cap: Text = "",
    hold_days: Annotated[int, Form()] = 30,
    first: Text = "",
    last: Text = "",
    replace: Annotated[bool, Form()] = False,
) -> Response:
    def change(session: Any) -> None:
        given = TermSettings(
            shop=shop,
            category=parse_category(category),
            percent=percent.strip(),
            amount=amount.strip(),
            cap=cap.strip(),
            hold_days=hold_days,
            first=day_of("from", first),
            last=day_of("to", last),
        )
        save = terms.replace_term if replace else terms.set_term
        save(session, given, by=who.person_id, today=datetime.now(UTC).date())

    return _change_terms(request, site, who, change, done="saved")


@router.post("/terms/{term_id}/remove")
def remove_term(request: Request, site: TheSite, who: Who, term_id: str) -> Response:
    def change(session: Any) -> None:
        terms.remove_term(session, term_id, by=who.person_id)

    return _change_terms(request, site, who, change, done="removed")


def day_of(name: str, text: str) -> date | None:
    return parse_day(text, name) if text else None


def sheet(text: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _change_terms(request: Request, site: Site, who: SignedIn, change: Callable[[Any], None], *, done: str) -> Response:
    who.rights.require("cashback.edit")
    try:
        with site.database.session() as session:
            change(session)
    except VitrinaError as error:
        return _terms_page(request, site, who, failed=str(error), status_code=error.status)
    return RedirectResponse(f"/catalog/cashback/terms?done={done}", status_code=303)


def _page(
    request: Request,
    site: Site,
    who: SignedIn,
    wanted: Wanted,
    *,
    done: str = "",
    kept: list[str] | None = None,
    status_code: int = 200,
) -> Response:
    who.rights.require("cashback.view")
    with site.database.reading() as session:
        rows = ledger.list_cashback(session, wanted, limit=SHOWN + 1)
        context: dict[str, Any] = {
            "rows": rows[:SHOWN],
            "more": len(rows) > SHOWN,
            "sums": _by_currency(ledger.sums(session, wanted)),
            "missed": missing.list_missing(session),
            "shop_names": {shop.slug: shop.name for shop in list_shops(session)},
            "networks": [*(one.name for one in networks.list_networks(session)), ledger.BY_HAND],
            "last": _last_words(session, rows[:SHOWN]),
            "names": directory.names(session),
        }
    return render(
        request,
        "cashback.html",
        status_code=status_code,
        wanted=wanted,
        address=_address(wanted),
        states=STATES,
        today=datetime.now(UTC).date(),
        done=done,
        kept=kept or [],
        may_edit=who.rights.may("cashback.edit"),
        **context,
    )


def _terms_page(
    request: Request, site: Site, who: SignedIn, *, done: str = "", failed: str = "", status_code: int = 200
) -> Response:
    who.rights.require("cashback.view")
    with site.database.reading() as session:
        context: dict[str, Any] = {
            "terms": terms.list_terms(session),
            "shops": list_shops(session),
            "networks": networks.list_networks(session),
            "doors": networks.doors(session),
            "programs": networks.list_programs(session),
        }
    context |= {"done": done, "failed": failed, "may_edit": who.rights.may("cashback.edit")}
    return render(
        request,
        "cashback_terms.html",
        status_code=status_code,
        base_url=site.settings.base_url,
        today=datetime.now(UTC).date(),
        names={shop.slug: shop.name for shop in context["shops"]},
        **context,
    )


def _by_currency(found: dict[tuple[str, str], tuple[int, int]]) -> list[tuple[str, dict[str, tuple[int, int]]]]:
    """By currency: state → how many and how much. Currencies are never added."""
    currencies = sorted({currency for _, currency in found if currency})
    return [(one, {state: found.get((state, one), (0, 0)) for state in STATES}) for one in currencies]


def _last_words(session: Any, rows: list[LensCashback]) -> dict[str, ledger.LensMovement]:
    """The last movement of each: who decided, and why."""
    moves = ledger.movements(session, [row.cashback_id for row in rows])
    return {move.cashback_id: move for move in sorted(moves, key=lambda one: one.number)}


def _address(wanted: Wanted) -> str:
    """The filter as the query of an address."""
    given = {"state": wanted.state, "shop": wanted.shop, "network": wanted.network}
    given |= {
        "from": wanted.first.isoformat() if wanted.first else "",
        "to": wanted.last.isoformat() if wanted.last else "",
    }
    return urlencode({key: value for key, value in given.items() if value})


def _wanted_of(query: str) -> Wanted:
    """The filter that a form carried along."""
    given = dict(parse_qsl(query[:1000]))
    words = (given.get(name, "") for name in ("state", "shop", "network", "from", "to"))
    return asked_for(*words)
