"""The way from the entrance over a section to the till, as persons of one day each, as far as links hold. Pure.

A person whom the cameras lost on the way and found again is somebody new, so every step is a lower bound, and who was
lost counts as having left. The last step is no step of a person: receipts are never joined to anybody's path, so it
is a ratio of two counts and may exceed the step before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

from vitrina.floor.measures.compared import FunnelStep
from vitrina.floor.measures.comparing import Comparison, per_entry, share
from vitrina.floor.measures.figures import hidden, smallest_group
from vitrina.floor.measures.rows import Floats
from vitrina.floor.measures.stretch import Stretch
from vitrina.floor.measures.sums import ANY
from vitrina.worth.estimate import Estimate

Counts = Callable[[Stretch], Floats]


def funnels(
    compared: Comparison, sections: Sequence[str], *, incomparable: frozenset[str]
) -> dict[str, list[FunnelStep]]:
    """The funnel over any section (''), and over each. All steps stand on the days that were watched in full."""
    sold = bool(compared.now.count("sales", "receipts", compared.now.own).sum())
    last = cache(partial(_receipts, compared))  # the same under each section, and bootstrapped
    found = {}
    for section in (ANY, *sections):
        comparable = not incomparable & {section, "*"}
        found[section] = _funnel(compared, section, comparable=comparable) + [last(comparable)] * sold
    return found


def _funnel(compared: Comparison, section: str, *, comparable: bool) -> list[FunnelStep]:
    def of_section(column: str) -> Counts:
        return lambda part: part.count("funnel", column, {"zone_id": section})

    counts: list[tuple[str, Counts]] = [
        ("entered", entered),
        ("section", of_section("reached")),
        ("queue", of_section("queued")),
        ("served", of_section("served")),
    ]
    return [
        _step(compared, name, count, counts[max(0, number - 1)][1], comparable=comparable)
        for number, (name, count) in enumerate(counts)
    ]


def _step(compared: Comparison, name: str, count: Counts, previous: Counts, *, comparable: bool) -> FunnelStep:
    def of(whole: Counts) -> Callable[[Stretch], Estimate]:
        return lambda part: share(count(part), whole(part), part.counted)

    people = _people(count)
    found = round(people(compared.now))
    return FunnelStep(
        step=name,
        count=None if hidden(found, compared.k_anonymity) else found,
        share=compared.figure(f"funnel_{name}", "share", of(entered), people=people, comparable=comparable),
        of_before=compared.figure(f"funnel_{name}", "share", of(previous), people=people, comparable=comparable),
    )


def _receipts(compared: Comparison, comparable: bool) -> FunnelStep:
    """Of all receipts, whatever the section: nobody knows whose they are. Its interval is made as conversion's is."""

    def receipts(part: Stretch) -> Floats:
        return part.count("sales", "receipts", part.own)

    def ratio(part: Stretch) -> Estimate:
        return per_entry(part, "receipts", ("entered", "people"))

    sold, came = _people(receipts), _people(entered)
    found = compared.figure(
        "funnel_receipts",
        "ratio",
        ratio,
        people=lambda part: smallest_group(sold(part), came(part)),
        comparable=comparable,
    )
    count = round(sold(compared.now))
    return FunnelStep("receipts", None if hidden(count, compared.k_anonymity) else count, found, found)


def entered(part: Stretch) -> Floats:
    """Persons who came in, by day."""
    return part.count("entered", "people")


def _people(count: Counts) -> Callable[[Stretch], float]:
    return lambda part: float(count(part)[part.counted].sum())
