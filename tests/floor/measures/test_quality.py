"""Checks of rows: what is broken is found in the shop where it is, judged, and said with what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import ibis
import pytest

from vitrina.floor.layout import CameraLayout
from vitrina.floor.measures.quality import CHECKED_TABLES, CHECKS, examine, questions, worst
from vitrina.floor.measures.queries import unbound

NOW = datetime(2026, 3, 11, 9, 0, tzinfo=UTC)  # 11:00 in Riga on the day after the story


@pytest.fixture
def live(story):
    camera = CameraLayout("cam", "Camera", "loop:clip.mp4", (640, 360))
    story.shop = replace(story.shop, layout=replace(story.shop.layout, cameras=(camera,)))
    return story


def found(story, *more, now=NOW):
    story.store()
    shops = [story.shop, *(each.shop for each in more)]
    return {(one.shop, one.check): one for one in examine(story.lake, shops, now).findings}


def good_day(story):
    story.watch("10:00", "18:00")
    for number in range(20):
        story.enter("11:00", f"p{number}")
        story.visit("11:01", f"p{number}", "shelf", 30.0)
        story.wait("11:05", f"p{number}", 40.0)
        story.receipt("11:10", str(number), 1000)


def test_a_good_day_passes_every_check(live):
    good_day(live)
    assert {one.verdict for one in found(live).values()} == {"pass"}


def test_rows_stored_twice_fail_and_say_how_many(live):
    good_day(live)
    live.rows["visits"] += [dict(row) for row in live.rows["visits"][:3]]
    one = found(live)["riga-1", "visits.twice"]
    assert (one.verdict, one.value) == ("fail", 3.0)
    assert one.advice


def test_the_same_revision_twice_is_found_and_a_correction_is_none(live):
    live.receipt("11:00", "1", 500)
    live.receipt("11:00", "1", 600, revision=2)
    assert found(live)["riga-1", "receipts.twice"].verdict == "pass"
    live.receipt("11:00", "1", 600, revision=2)
    assert found(live)["riga-1", "receipts.twice"].value == 1.0


@pytest.mark.parametrize(("bad", "verdict"), [(0, "pass"), (1, "warn"), (3, "fail")])
def test_a_slip_warns_and_many_impossible_visits_fail(live, bad, verdict):
    for number in range(1500):
        live.visit("11:00", f"p{number}", "shelf", -5.0 if number < bad else 30.0)
    one = found(live)["riga-1", "visits.dwell"]
    assert (one.verdict, one.value) == (verdict, float(bad))


@pytest.mark.parametrize(("lost", "verdict"), [(0, "pass"), (2, "warn"), (6, "fail")])
def test_waits_without_an_end_are_judged_by_their_share(live, lost, verdict):
    for number in range(15):
        live.wait("11:00", f"p{number}", 40.0, "unknown" if number < lost else "served")
    one = found(live)["riga-1", "waits.outcome"]
    assert (one.verdict, one.value) == (verdict, pytest.approx(lost / 15))


def test_receipts_in_a_foreign_currency_warn(live):
    live.receipt("11:00", "1", 500)
    live.receipt("11:00", "2", 500, currency="JPY")
    assert found(live)["riga-1", "receipts.currency"].verdict == "warn"


@pytest.mark.parametrize(("hours", "verdict"), [(1, "pass"), (30, "warn"), (80, "fail")])
def test_a_live_shop_should_have_new_rows(live, hours, verdict):
    live.enter("11:00", "ann")
    newest = live.at("11:00")
    assert found(live, now=newest + timedelta(hours=hours))["riga-1", "crossings.fresh"].verdict == verdict


def test_a_day_on_which_the_shop_is_closed_is_not_held_against_it(live):
    live.enter("11:00", "ann")
    newest = live.at("11:00")
    live.shop = replace(live.shop, opens=tuple(() if day == 2 else hours for day, hours in enumerate(live.shop.opens)))
    one = found(live, now=newest + timedelta(hours=47))["riga-1", "crossings.fresh"]
    assert (one.verdict, one.value) == ("pass", 47.0)
    assert found(live, now=newest + timedelta(hours=54))["riga-1", "crossings.fresh"].verdict == "warn"


def test_a_live_shop_without_any_row_fails_and_a_shop_of_recordings_does_not(live, bar):
    checks = found(live, bar)
    assert checks["riga-1", "presence.fresh"].verdict == "fail"
    assert checks["bar", "presence.fresh"].verdict == "none"
    assert checks["riga-1", "receipts.fresh"].verdict == "none"


def test_a_half_watched_day_is_said(live):
    live.watch("10:00", "13:00")
    one = found(live)["riga-1", "presence.watched"]
    assert (one.verdict, one.value) == ("fail", pytest.approx(3 / 8))


def test_days_on_which_nobody_watched_any_more_are_said(live, bar):
    good_day(live)
    bar.watch("20:00", "02:00")
    bar.store()
    checks = found(live, bar, now=NOW + timedelta(days=3))
    assert checks["riga-1", "presence.watched"].value == pytest.approx(1 / 4)
    assert checks["bar", "presence.watched"].verdict == "none"  # a recording, which ends


def test_what_is_wrong_in_one_shop_is_not_said_of_another(live, bar):
    good_day(live)
    bar.visit("21:00", "ann", "shelf", -1.0)
    bar.store()
    checks = found(live, bar)
    assert checks["bar", "visits.dwell"].verdict == "fail"
    assert checks["riga-1", "visits.dwell"].verdict == "pass"


def test_the_worst_verdict_counts():
    assert worst(["pass", "none", "warn"]) == "warn"
    assert worst([]) == "none"


@pytest.mark.parametrize("dialect", ["duckdb", "databricks"])
def test_one_question_a_table_on_either_engine(dialect):
    asked = questions(unbound(), NOW)
    assert set(asked) == set(CHECKED_TABLES)
    for query in asked.values():
        assert "SELECT" in str(ibis.to_sql(query, dialect=dialect))


def test_every_check_says_what_to_do():
    assert all(check.advice and check.title for check in CHECKS)
