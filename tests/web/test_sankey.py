"""Flows from stop to stop: every label has room before the next column, and says the whole name under the pointer."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

from vitrina.web.sankey import WIDTH, sankey

LETTER = 7.5
"""Pixels of the drawing that a letter of 13 px takes at most, on average."""

LONG = "Household appliances and all that belongs to a kitchen"


def draw(*names: str) -> ET.Element:
    flows = [
        {"place": place, "from": origin, "to": goal, "people": 12_345}
        for place, (origin, goal) in enumerate(pairwise(names))
    ]
    heads = [f"Stop {number}" for number in range(len(names))]
    return ET.fromstring(sankey(flows, name=str, form=lambda n: f"{n:,}", heads=heads, label="Ways"))


def test_no_label_reaches_the_next_column_or_the_edge() -> None:
    svg = draw("Start", LONG, "Promo display", LONG + " too", "Tills")
    columns = [float(node.attrib["x"]) for node in svg.iter("rect")]

    for text in svg.iter("text"):
        start = float(text.attrib["x"])
        end = min([x for x in columns if x > start], default=float(WIDTH))
        assert start + LETTER * len("".join(text.itertext())) <= end


def test_a_long_name_is_cut_and_whole_in_its_tip() -> None:
    svg = draw("Start", LONG)

    assert [text.text for text in svg.iter("text") if text.text and text.text.startswith("House")] == [
        "Household applia… "
    ]
    assert f"{LONG} 12,345" in [node.attrib["data-tip"] for node in svg.iter("rect")]
