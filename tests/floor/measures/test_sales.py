import pytest

PEOPLE = ("ann", "bob", "cid", "dan", "eve", "fay")


def test_conversion_is_receipts_by_footfall_with_the_hours_as_clusters(story):
    for hour, people, receipts in (("10:10", 6, 2), ("11:10", 4, 2), ("12:10", 2, 0)):
        story.enter(hour, *PEOPLE[:people])
        for number in range(receipts):
            story.receipt(hour, f"{hour}-{number}", 1000)
    conversion = story.figures().figures["conversion"]
    assert (conversion.value, conversion.n) == (pytest.approx(4 / 12), 12)
    assert conversion.low < conversion.value < conversion.high


def test_conversion_may_exceed_one(story):
    story.enter("10:10", "ann")
    story.receipt("10:20", "1", 1000)
    story.receipt("10:21", "2", 1000)
    assert story.figures().figures["conversion"].value == 2.0


def test_a_receipt_counts_once_by_its_highest_revision(story):
    story.enter("10:10", "ann", "bob")
    story.receipt("10:20", "1", 1000)
    story.receipt("10:20", "1", 600, revision=2)
    story.receipt("10:30", "2", 1400)
    figures = story.figures().figures
    assert figures["conversion"].value == 1.0
    assert (figures["average_ticket"].value, figures["average_ticket"].n) == (1000.0, 2)


def test_a_receipt_revised_to_nothing_was_cancelled(story):
    story.enter("10:10", "ann", "bob")
    story.receipt("10:20", "1", 1000)
    story.receipt("10:20", "1", 0, revision=2)
    assert story.figures().figures["conversion"].note == "no receipts"


def test_a_refund_is_no_receipt_and_lowers_what_an_entry_brings(story):
    story.enter("10:10", "ann", "bob")
    story.receipt("10:20", "1", 1000)
    story.receipt("10:30", "2", -400)
    figures = story.figures().figures
    assert figures["conversion"].value == 0.5
    assert figures["average_ticket"].value == 1000.0
    assert figures["shopper_yield"].value == 300.0


def test_receipts_in_another_currency_are_left_out_and_named(story):
    story.enter("10:10", "ann")
    story.receipt("10:20", "1", 1000)
    story.receipt("10:30", "2", 99999, currency="SEK")
    ticket = story.figures().figures["average_ticket"]
    assert (ticket.value, ticket.note) == (1000.0, "receipts in another currency are left out")


def test_receipts_without_footfall_say_so(story):
    story.receipt("10:20", "1", 1000)
    conversion = story.figures().figures["conversion"]
    assert (conversion.value, conversion.note) == (None, "nobody was counted at an entrance")
