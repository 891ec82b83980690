import pytest

PEOPLE = ("ann", "bob", "cid", "dan", "eve", "fay")


def zone(day, slug):
    return next(place for place in day.zones if place.zone == slug)


def test_a_person_who_comes_twice_is_one_visitor_with_two_dwells(story):
    story.enter("10:00", "ann", "bob")
    story.visit("10:01", "ann", "shelf", 4.0)
    story.visit("10:09", "ann", "shelf", 30.0)
    story.visit("10:05", "bob", "shelf", 2.0)
    shelf = zone(story.figures(), "shelf")
    assert (shelf.visitors.value, shelf.dwell_median.value, shelf.dwell_median.n) == (2, 4.0, 3)
    assert (shelf.exposure.value, shelf.exposure.n) == (1.0, 2)


def test_who_stopped_once_has_stopped_and_holding_is_their_longest_visit(story):
    story.visit("10:01", "ann", "promo", 2.0)
    story.visit("10:09", "ann", "promo", 12.0)
    story.visit("10:05", "bob", "promo", 9.0)
    story.visit("10:05", "cid", "promo", 20.0)
    promo = zone(story.figures(), "promo")
    assert promo.stopping_power.value == pytest.approx(2 / 3)
    assert (promo.holding_power.value, promo.holding_power.n) == (16.0, 2)


def test_staff_are_no_visitors_and_their_room_is_no_zone_of_the_page(story):
    story.visit("10:01", "sue", "shelf", 600.0, role="staff")
    story.visit("10:09", "ann", "back", 10.0)
    day = story.figures()
    assert zone(day, "shelf").visitors.value == 0
    assert "back" not in [place.zone for place in day.zones]


def test_more_visitors_than_footfall_are_shown_with_the_doubt(story):
    story.enter("10:00", "ann")
    for person in PEOPLE:
        story.visit("10:01", person, "shelf", 5.0)
    exposure = zone(story.figures(), "shelf").exposure
    assert (exposure.value, exposure.low, exposure.note) == (6.0, None, "more visitors than footfall")


def test_a_zone_of_an_earlier_layout_is_shown_by_its_slug(story):
    story.visit("10:01", "ann", "old-corner", 5.0)
    assert zone(story.figures(), "old-corner").visitors.value == 1


def test_every_figure_of_a_zone_with_four_visitors_is_hidden(story):
    story.enter("10:00", *PEOPLE)
    for person in PEOPLE[:4]:
        story.visit("10:01", person, "shelf", 6.0)
        story.visit("10:05", person, "shelf", 6.0)
    shelf = zone(story.figures(k_anonymity=5), "shelf")
    assert [shelf.visitors.value, shelf.exposure.value, shelf.dwell_median.value] == [None, None, None]
    assert shelf.dwell_p90.n is None


def test_waiting_is_of_those_served_and_giving_up_of_those_we_know_of(story):
    story.wait("10:00", "ann", 10.0)
    story.wait("10:00", "bob", 30.0)
    story.wait("10:01", "cid", 200.0, "abandoned")
    story.wait("10:01", "dan", 5.0, "unknown")
    figures = story.figures().figures
    assert figures["queue_wait_median"].value == 20.0
    assert (figures["abandonment"].value, figures["abandonment"].n) == (pytest.approx(1 / 3), 3)


def test_the_queue_was_as_long_as_the_most_who_stood_there_at_once(story):
    story.wait("10:00:00", "ann", 60.0)
    story.wait("10:00:30", "bob", 60.0)
    story.wait("10:01:00", "cid", 60.0)  # the moment ann leaves
    queue = story.figures().queues[0]
    assert (queue.length_max.value, queue.length_max.n) == (2, 3)
    assert queue.length_mean.value == pytest.approx(180 / (8 * 3600))


def test_a_path_is_the_order_of_zones_without_repeats(story):
    for person in PEOPLE[:2]:
        story.visit("10:01", person, "shelf", 5.0)
        story.visit("10:02", person, "shelf", 5.0)
        story.visit("10:03", person, "promo", 5.0)
    story.visit("10:00", "cid", "promo", 5.0)
    day = story.figures()
    assert day.paths == [{"path": ["shelf", "promo"], "people": 2}, {"path": ["promo"], "people": 1}]
    assert {"from": "shelf", "to": "promo", "people": 2} in day.transitions
    assert {"from": "promo", "to": "(end)", "people": 3} in day.transitions
