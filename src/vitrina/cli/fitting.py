"""`vitrina lens evaluate --fit`: what scores mean, fitted on labelled photos of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from vitrina.cli.connect import print_json
from vitrina.lens import calibration
from vitrina.lens.calibration import Check
from vitrina.lens.catalog import Catalog
from vitrina.lens.evaluate import Query, fractions
from vitrina.lens.likeness import Bin, Likeness
from vitrina.lens.photo import upright_size
from vitrina.settings import Settings


def fit_likeness(settings: Settings, catalog: Catalog, queries: Sequence[Query], path: Path, *, as_json: bool) -> None:
    """Every other query fits, the rest checks; then all of them fit what is kept. Queries with a box for themselves."""
    model = catalog.model()
    before = calibration.facts_of(settings.lens, model.name, model.likeness)
    answers: list[dict[str, Any]] = []
    for boxed in (False, True):
        some = [one for one in queries if (one.box_xyxy is not None) == boxed]
        if some:
            searches = [
                _search(catalog, one) for one in track(some, "Queries", console=Console(stderr=True), disable=as_json)
            ]
            learns, checks = (
                calibration.examples([searches[n] for n in half]) for half in calibration.halves(len(some))
            )
            told = f"{len(some)} queries of {path.name} by `vitrina lens evaluate --fit`, {datetime.now(UTC):%Y-%m-%d}"
            old = Likeness.of(before, boxed=boxed)
            was = calibration.check(old, checks)
            now = calibration.check(calibration.fitted(learns, old, told), checks)
            is_better = now.error < was.error
            if is_better:
                whole = calibration.fitted(calibration.examples(searches), old, told)
                calibration.keep(settings.lens, model.name, whole, boxed=boxed, before=before)
                before = calibration.facts_of(settings.lens, model.name, model.likeness)
            answers.append({"boxed": boxed, "queries": len(some), "kept": is_better, "before": was, "after": now})
    if as_json:
        print_json([one | {name: _told(one[name]) for name in ("before", "after")} for one in answers])
    else:
        for one in answers:
            _show(one)


def _search(catalog: Catalog, query: Query) -> tuple[Sequence[calibration.Scored], frozenset[str], str]:
    content = query.photo.read_bytes()
    box = fractions(query.box_xyxy, upright_size(content)) if query.box_xyxy else None
    return catalog.scores(content, box=box), query.answers, query.category


def _told(check: Check) -> dict[str, Any]:
    return {
        "calibration_error": round(check.error, 4),
        "finds": check.examples,
        "bins": [_bin(one) for one in check.bins],
    }


def _bin(one: Bin) -> dict[str, Any]:
    seen = {"value": one.observed.value, "low": one.observed.low, "high": one.observed.high}
    return {"from": one.low, "to": one.high, "said": round(one.said, 4), "finds": one.observed.n} | {
        "observed": {name: round(value, 4) for name, value in seen.items()}
    }


def _show(one: dict[str, Any]) -> None:
    console = Console()
    which = "with a box" if one["boxed"] else "without a box"
    title = f"{one['queries']} queries {which}: half of them fit, this is the other half"
    table = Table("said", "finds", "said on average", "was so", title=title, title_justify="left")
    for name, check in (("before", one["before"]), ("after", one["after"])):
        table.add_section()
        table.add_row(f"[b]{name}[/b]", str(check.examples), "calibration error", f"{check.error:.3f}")
        for each in check.bins:
            seen = each.observed
            told = f"{seen.value:.1%} ({seen.low:.0%}–{seen.high:.0%})"
            table.add_row(f"{each.low:.0%}–{each.high:.0%}", str(seen.n), f"{each.said:.1%}", told)
    console.print(table)
    kept = "Kept: `vitrina up` uses them when it is started next. These queries test these thresholds no more."
    console.print(kept if one["kept"] else "Not kept: what holds now is as good.", highlight=False)
