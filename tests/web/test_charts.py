"""Charts are SVG that lives without inline style, keeps its letters' size, and can be read aloud."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.web.charts import Bar, Sample, Span, bar_chart, interval_dot, nice_ticks, row_bar, sparkline, step_chart
from vitrina.web.lineage_chart import lineage_chart


def rects(svg: str, name: str) -> list[dict[str, str]]:
    return [dict(e.attrib) for e in ET.fromstring(svg).iter() if e.get("class") == name]


def whole(value: float) -> str:
    return f"{value:g}"


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_ticks_are_few_round_and_reach_the_top(top: float) -> None:
    ticks = nice_ticks(top)

    assert ticks[0] == 0
    assert ticks[-1] >= top * (1 - 1e-6)
    assert 2 <= len(ticks) <= 7
    assert f"{ticks[1]:e}"[0] in "125"


@pytest.mark.parametrize("top", [0.0, -1.0, float("nan"), float("inf")])
def test_a_chart_without_numbers_still_has_a_scale(top: float) -> None:
    assert nice_ticks(top) == [0.0, 1.0]


def test_a_bar_is_as_high_as_its_value_on_the_scale() -> None:
    chart = bar_chart([Bar("09", 50, "a"), Bar("10", 100, "b")], label="In", form=whole, height_px=208)

    assert [rect["height"] for rect in rects(chart, "bar")] == ["100", "200"]
    assert [rect["x"] for rect in rects(chart, "bar")] == ["8%", "58%"]


def test_an_hour_that_nobody_watched_is_hatched_and_has_no_bar() -> None:
    chart = bar_chart([Bar("09", None, "not watched", watched=False)], label="In", form=whole)

    assert len(rects(chart, "gap")) == 1
    assert not rects(chart, "bar")


def test_an_interval_is_drawn_as_a_whisker_from_low_to_high() -> None:
    chart = bar_chart([Bar("09", 50, "a", low=25, high=100)], label="In", form=whole, height_px=208)

    (whisker,) = rects(chart, "whisker")
    assert (whisker["y1"], whisker["y2"]) == ("158", "8")


def test_a_line_stops_at_a_gap_and_goes_on_after_it() -> None:
    samples = [Sample(0.0, 1, "a"), Sample(0.25, 2, "b"), Sample(0.5, None, "?"), Sample(0.75, 1, "d")]

    chart = step_chart(samples, label="Inside", form=whole, gaps=[Span(0.5, 0.75, "camera lost")])

    assert len(rects(chart, "line")) == 2
    assert "camera lost" in chart


def test_a_sparkline_leaves_a_day_of_which_nothing_is_known_empty_and_marks_the_last() -> None:
    svg = sparkline([1, None, 0, 2], label="Two weeks", height_px=40)

    assert [bar["height"] for bar in rects(svg, "day")] == ["20", "1"]
    assert len(rects(svg, "last")) == 1


def test_nothing_is_drawn_for_nothing() -> None:
    assert sparkline([None, None], label="x") == ""
    assert interval_dot(None, None, None, top=1, label="x") == ""


def test_every_chart_has_a_name_and_no_inline_style_or_script() -> None:
    charts = [
        bar_chart([Bar("09", 3, "tip", 2, 4, 5)], label="In <b>", form=whole),
        step_chart([Sample(0, 1, "tip")], label="In <b>", form=whole),
        sparkline([1, 2], label="In <b>"),
        interval_dot(0.5, 0.4, 0.6, top=1, label="In <b>"),
    ]

    assert all('role="img" aria-label="In &lt;b&gt;"' in chart for chart in charts)
    assert not any(re.search(r"\sstyle=|<script|<style|\son\w+=", chart) for chart in charts)


def test_what_is_written_into_a_chart_cannot_break_out_of_it() -> None:
    evil = '"><script>alert(1)</script>'

    chart = bar_chart([Bar(evil, 1, evil)], label=evil, form=whole) + row_bar(1, 0, 2, 3, top=4, tip=evil)

    assert "<script>" not in chart
    ET.fromstring(f"<x>{chart}</x>")


def test_a_measures_box_is_as_wide_as_its_name() -> None:
    name = "Ожидание в очереди, 90-й процентиль"
    short, long = (str(lineage_chart(("waits",), each, name=str, label="")) for each in ("Wait", name))

    def boxes(drawn: str) -> list[int]:
        return [int(width) for width in re.findall(r'<rect [^>]* width="(\d+)"', drawn)]

    assert len(set(boxes(short))) == 1
    assert boxes(long)[:-1] == boxes(short)[:-1]
    assert boxes(long)[-1] > 7 * len(name)
