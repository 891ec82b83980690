"""How every camera is doing: state, rates, what is wrong and what to do, a strip of the last day or week, gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from vitrina.errors import NotFoundError
from vitrina.floor.layout import Shop
from vitrina.floor.measures.watching import ADVICE, Camera, Strip
from vitrina.web.auth import Who
from vitrina.web.cameras import GAPS_SHOWN, Gap, Span, cameras_now, recent_gaps, strips
from vitrina.web.pages.chain_view import links
from vitrina.web.render import render_late, words_of
from vitrina.web.shops import visible_shops
from vitrina.web.site import Site, TheSite
from vitrina.web.strip_chart import strip_chart
from vitrina.web.wording import tell_reason, tell_share
from vitrina.web.words import NOTHING, Words

router = APIRouter(include_in_schema=False)

A_PAGE = 30
A_MINUTE_S = 60.0
A_MARK = 24
"""Slots between two marks of a strip: six hours of a day, a day of a week."""


@dataclass(frozen=True, slots=True)
class CameraLine:
    shop: Shop
    name: str
    camera: str
    level: str
    state: str
    last: str
    rate: str
    lag: str
    dropped: str
    reconnects: str
    advice: list[tuple[str, str]]
    error: str
    strip: Markup
    watched: str


@dataclass(frozen=True, slots=True)
class GapLine:
    shop: str
    camera: str
    start: str
    until: str
    length: str
    reason: str


@router.get("/cameras")
def cameras(
    request: Request,
    site: TheSite,
    who: Who,
    shop: Annotated[str, Query(max_length=64)] = "",
    span: Annotated[Span, Query(alias="range")] = "day",
    q: Annotated[str, Query(max_length=100)] = "",
    page: Annotated[int, Query(ge=1)] = 1,
) -> Response:
    shops = {each.slug: each for each in visible_shops(site, who, action="figures.view")}
    if shop and shop not in shops:
        raise NotFoundError(f"there is no shop {shop!r}")
    state = {"shop": shop, "range": "" if span == "day" else span, "q": q}
    words = words_of(request)

    def late() -> dict[str, Any]:
        found = [one for one in cameras_now(site, who, shop=shop) if _called(one, shops[one.shop], q)]
        return _shown(site, words, shops, found, span, page)

    context: dict[str, Any] = {"shop": shops.get(shop), "span": span, "q": q, "state": state, "count": len(shops)}
    context |= {"link": lambda path="/cameras", **changes: links(path, state, **changes)}
    context |= {"exports": who.rights.shops("figures.export") != frozenset()}
    return render_late(request, "cameras.html", late, **context)


@router.get("/shops/{slug}/cameras")
def cameras_of_a_shop(slug: str) -> Response:
    return RedirectResponse(f"/cameras?shop={slug}", status_code=308)


def _called(one: Camera, shop: Shop, text: str) -> bool:
    wanted = text.strip().casefold()
    return any(wanted in name.casefold() for name in (shop.name, shop.slug, one.name, one.camera))


def _shown(
    site: Site, words: Words, shops: dict[str, Shop], found: Sequence[Camera], span: Span, page: int
) -> dict[str, Any]:
    pages = max(1, -(-len(found) // A_PAGE))
    page = min(page, pages)
    some = found[(page - 1) * A_PAGE : page * A_PAGE]
    drawn, gaps = strips(site, list(shops.values()), some, span), recent_gaps(site, found, span)
    counts = {level: sum(one.level == level for one in found) for level in ("fail", "warn", "ok", "none")}
    now = site.figures.now()
    return {
        "lines": [_line(words, shops[one.shop], one, drawn[one.shop, one.camera], now) for one in some],
        "gaps": [_gap(words, shops[gap.shop], gap) for gap in gaps[:GAPS_SHOWN]],
        "more_gaps": max(0, len(gaps) - GAPS_SHOWN),
        "counts": counts,
        "found": len(found),
        "page": page,
        "pages": pages,
    }


def _line(words: Words, shop: Shop, one: Camera, strip: Strip, now: datetime) -> CameraLine:
    wanted, got = one.fps_wanted, one.fps_got
    rate = NOTHING if got is None else words.number(got, digits=1)
    return CameraLine(
        shop=shop,
        name=one.name,
        camera=one.camera,
        level=one.level,
        state=tell_state(words, one),
        last=_ago(words, (now - one.last).total_seconds()) if one.last else NOTHING,
        rate=f"{rate} / {words.number(wanted, digits=1)}" if wanted and got is not None else rate,
        lag=NOTHING if one.lag_s is None else words.duration(max(0.0, one.lag_s)),
        dropped=NOTHING if one.dropped is None else words.number(one.dropped),
        reconnects=NOTHING if one.reconnects is None else words.number(one.reconnects),
        advice=[(tell_trouble(words, trouble), words.gettext(ADVICE[trouble])) for trouble in one.troubles],
        error=one.error,
        strip=_drawn(words, shop, strip, one.name),
        watched=NOTHING if strip.share is None else tell_share(words, strip.share),
    )


def _ago(words: Words, seconds: float) -> str:
    if seconds < 1:
        return words.gettext("now")
    return words.gettext("{time} ago").format(time=words.duration(seconds))


def _drawn(words: Words, shop: Shop, strip: Strip, name: str) -> Markup:
    zone, form = ZoneInfo(shop.timezone), "EEE HH:mm"
    told = {"full": words.gettext("watched"), "part": words.gettext("watched in part"),
            "gap": words.gettext("not watched"), "off": words.gettext("closed, or nothing expected")}  # fmt: skip

    def tip(first: int, last: int, fill: str) -> str:
        edges = (strip.start + timedelta(seconds=slot * strip.slot_s) for slot in (first, last))
        start, until = (words.pattern(edge.astimezone(zone), form) for edge in edges)
        return f"{start} – {until}\n{told[fill]}"

    label = words.gettext("{camera}: {share} of the expected time watched").format(
        camera=name, share=NOTHING if strip.share is None else tell_share(words, strip.share)
    )
    return strip_chart(strip.fills, tip=tip, label=label, every=A_MARK)


def _gap(words: Words, shop: Shop, gap: Gap) -> GapLine:
    zone = ZoneInfo(shop.timezone)
    camera = shop.layout.camera(gap.camera)
    form = "EEE d MMM HH:mm:ss" if gap.gap_s < A_MINUTE_S else "EEE d MMM HH:mm"
    return GapLine(
        shop=shop.name,
        camera=camera.name if camera else gap.camera,
        start=words.pattern(gap.start.astimezone(zone), form),
        until=words.pattern(gap.until.astimezone(zone), form),
        length=words.duration(gap.gap_s),
        reason=tell_reason(words, gap.reason),
    )


def tell_state(words: Words, one: Camera) -> str:
    _ = words.gettext
    return {
        "running": _("running"),
        "starting": _("starting"),
        "lost": _("stream lost"),
        "ended": _("ended"),
        "watched": _("watched"),
        "silent": _("not watched"),
        "never": _("never watched"),
        "recording": _("recording"),
        "simulated": _("simulated"),
    }[one.state]


def tell_trouble(words: Words, trouble: str) -> str:
    _ = words.gettext
    return {
        "lost": _("stream lost"),
        "silent": _("not watched"),
        "never": _("never watched"),
        "slow": _("too few frames"),
        "late": _("late pictures"),
        "dark": _("dark"),
        "covered": _("covered"),
        "moved": _("moved"),
        "blurred": _("blurred"),
        "frozen": _("frozen"),
    }[trouble]
