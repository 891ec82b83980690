"""Where people went from where: transitions, the first steps of all paths, and the most walked paths. Pure.

Nothing is shown of fewer than k people: small groups are put together as OTHER, with one more group when what is put
together would still be small, because the difference to the total would tell it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from vitrina.floor.measures.figures import hidden
from vitrina.floor.measures.stretch import Stretch
from vitrina.floor.measures.sums import ARROW, STEPS

OTHER = "(other)"
PATHS_SHOWN = 20
Groups = dict[str, tuple[int, int]]
"""Where to → how often, and by how many people."""


def transitions(part: Stretch, k_anonymity: int) -> list[dict[str, Any]]:
    """{from, to, steps, people, share, n}: share of the n steps that led away from `from`; the most walked first."""
    counted = _summed(part.sums["steps"].group_by(["origin", "goal"]).aggregate([("steps", "sum"), ("people", "sum")]))
    found = []
    for origin, groups in counted.items():
        shown, n = fold(groups, k_anonymity), sum(steps for steps, _people in groups.values())
        if not hidden(sum(people for _steps, people in groups.values()), k_anonymity):
            found += [
                {"from": origin, "to": goal, "steps": steps, "people": people, "share": steps / n, "n": n}
                for goal, (steps, people) in shown.items()
            ]
    return sorted(found, key=lambda row: (-row["steps"], row["from"], row["to"]))


def flows(part: Stretch, k_anonymity: int) -> list[dict[str, Any]]:
    """{place, from, to, people}: the first steps of everybody's path, each person once at each place."""
    rows = part.sums["steps"].group_by(["place", "origin", "goal"]).aggregate([("steps", "sum")]).to_pylist()
    by_origin: dict[tuple[int, str], Groups] = defaultdict(dict)
    for row in rows:
        if row["place"] < STEPS:
            by_origin[row["place"], row["origin"]][row["goal"]] = (row["steps_sum"],) * 2
    found = [
        {"place": place, "from": origin, "to": goal, "people": people}
        for (place, origin), groups in by_origin.items()
        for goal, (_steps, people) in fold(groups, k_anonymity).items()
        if not hidden(people, k_anonymity)
    ]
    return sorted(found, key=lambda row: (row["place"], -row["people"], row["from"], row["to"]))


def paths(part: Stretch, k_anonymity: int) -> list[dict[str, Any]]:
    """{path: zone slugs, people}: the most walked orders of zones."""
    grouped = part.sums["paths"].group_by("path").aggregate([("people", "sum")])
    top = grouped.sort_by([("people_sum", "descending"), ("path", "ascending")]).slice(0, PATHS_SHOWN).to_pylist()
    return [
        {"path": row["path"].split(ARROW), "people": row["people_sum"]}
        for row in top
        if not hidden(row["people_sum"], k_anonymity)
    ]


def fold(groups: Mapping[str, tuple[int, int]], k_anonymity: int) -> Groups:
    """The groups that may be shown, and OTHER for the rest, which is never small unless everything is."""
    ordered = sorted(groups.items(), key=lambda item: (-item[1][1], item[0]))
    shown = [(goal, counts) for goal, counts in ordered if not hidden(counts[1], k_anonymity)]
    small = ordered[len(shown) :]
    while small and shown and hidden(sum(people for _goal, (_steps, people) in small), k_anonymity):
        small.append(shown.pop())
    if small:
        rest: Counter[str] = Counter()
        for _goal, (steps, people) in small:
            rest.update(steps=steps, people=people)
        shown.append((OTHER, (rest["steps"], rest["people"])))
    return dict(shown)


def _summed(rows: Any) -> dict[str, Groups]:
    found: dict[str, Groups] = defaultdict(dict)
    for row in rows.to_pylist():
        found[row["origin"]][row["goal"]] = (row["steps_sum"], row["people_sum"])
    return found
