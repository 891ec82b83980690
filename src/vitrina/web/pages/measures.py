"""The cards of the measures: how each figure is made, where its rows come from, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from vitrina.floor.layout import Shop
from vitrina.floor.measures.cards import Measure
from vitrina.floor.measures.chainmeasures import CHAIN_MEASURES
from vitrina.floor.measures.quality import Examined, Finding, last_load, worst
from vitrina.floor.store import FLOOR_TABLES
from vitrina.web.auth import Who
from vitrina.web.cards import ENGINES, MEASURES, examined, measure, query_text
from vitrina.web.lineage_chart import lineage_chart, steps_text
from vitrina.web.render import render_late, words_of
from vitrina.web.shops import find_shop, visible_shops
from vitrina.web.site import TheSite
from vitrina.web.wording import tell_share
from vitrina.web.words import NOTHING, Words

router = APIRouter(prefix="/measures", include_in_schema=False)

SHOPS_NAMED = 12


@dataclass(frozen=True, slots=True)
class CheckLine:
    title: str
    table: str
    verdict: str
    value: str
    advice: str


@dataclass(frozen=True, slots=True)
class LoadLine:
    table: str
    comment: str
    rows: str
    rows_day: str
    newest: str
    age: str


@router.get("")
def measures(request: Request, site: TheSite, who: Who) -> Response:
    words, shops = words_of(request), visible_shops(site, who, action="figures.view")

    def late() -> dict[str, Any]:
        found, _when = examined(site)
        return {"cards": [(card, *_state(words, found, card, shops)) for card in MEASURES.values()]}

    return render_late(request, "measures.html", late, count=len(shops))


@router.get("/{name}")
def measure_card(
    request: Request, site: TheSite, who: Who, name: str, shop: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    card, shops, words = measure(name), visible_shops(site, who, action="figures.view"), words_of(request)
    chosen: Shop | None = find_shop(site, who, shop) if shop else next(iter(shops), None)

    def late() -> dict[str, Any]:
        found, when = examined(site)
        queries = [(title, query_text(card, chosen, dialect=dialect)) for dialect, title in ENGINES.items()]
        rows = _rows(words, found, card, chosen, when) if chosen else {"checks": [], "loads": []}
        return {"queries": queries, "others": _others(found, card, shops, chosen), "when": when, **rows}

    lineage = lineage_chart(card.tables, words.gettext(card.title), name=_step(words), label=_label(words, card))
    context: dict[str, Any] = {"card": card, "shops": shops, "chosen": chosen, "drawn": lineage}
    context |= {"steps": steps_text(card.tables, words.gettext(card.title), name=_step(words))}
    context |= {"in_chain": card.name in {each.card for each in CHAIN_MEASURES.values()}}
    return render_late(request, "measure.html", late, **context)


def _state(words: Words, found: Examined, card: Measure, shops: Sequence[Shop]) -> tuple[str, str]:
    """The worst verdict over all visible shops, and of how many."""
    slugs = {shop.slug for shop in shops}
    mine = [one for one in found.findings if one.shop in slugs and one.table in card.tables]
    verdict = worst(one.verdict for one in mine)
    count = len({one.shop for one in mine if one.verdict == verdict})
    if verdict in ("pass", "none"):
        return verdict, words.gettext("all checks pass") if verdict == "pass" else ""
    text = words.ngettext("a check fails in {n} shop", "checks fail in {n} shops", count)
    if verdict == "warn":
        text = words.ngettext("a check warns in {n} shop", "checks warn in {n} shops", count)
    return verdict, text.format(n=words.number(count))


def _rows(words: Words, found: Examined, card: Measure, shop: Shop, now: datetime) -> dict[str, Any]:
    loads = last_load(found.answers, shop.slug)
    return {
        "checks": [_check(words, one) for one in found.of(shop.slug, card.tables)],
        "loads": [_load(words, table, loads[table], now) for table in card.tables if table in loads],
    }


def _check(words: Words, one: Finding) -> CheckLine:
    value = NOTHING
    if one.value is not None:
        kinds = {"share": tell_share(words, one.value), "hours": words.duration(one.value * 3600)}
        value = kinds.get(one.unit) or words.number(one.value)
    return CheckLine(words.gettext(one.title), one.table, one.verdict, value, words.gettext(one.advice))


def _load(words: Words, table: str, row: Any, now: datetime) -> LoadLine:
    newest: datetime | None = row["newest"]
    age = words.duration(max(0.0, (now - newest).total_seconds())) if newest else NOTHING
    return LoadLine(
        table,
        words.gettext(FLOOR_TABLES[table].comment),
        words.number(row["rows"]),
        words.number(row["rows_day"]),
        words.moment(newest) if newest else NOTHING,
        age,
    )


def _others(found: Examined, card: Measure, shops: Sequence[Shop], chosen: Shop | None) -> list[tuple[Shop, str]]:
    """Other shops in which a check of this measure fails or warns, the failing ones first."""
    verdicts = {
        shop.slug: worst(one.verdict for one in found.of(shop.slug, card.tables)) for shop in shops if shop != chosen
    }
    order = {"fail": 0, "warn": 1}
    bad = [(shop, verdicts[shop.slug]) for shop in shops if verdicts.get(shop.slug) in order]
    return [(shop, str(verdict)) for shop, verdict in sorted(bad, key=lambda pair: order[pair[1]])][:SHOPS_NAMED]


def _label(words: Words, card: Measure) -> str:
    return words.gettext("Where {measure} comes from").format(measure=words.gettext(card.title))


def _step(words: Words) -> Any:
    _ = words.gettext
    names = {
        "camera": _("camera"),
        "people": _("people"),
        "tracks": _("tracks"),
        "lines": _("entrance lines"),
        "zones": _("zones"),
        "queues": _("queue zones"),
        "till": _("till"),
    }
    return lambda key: names[key]
