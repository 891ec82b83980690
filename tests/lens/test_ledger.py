from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from vitrina.errors import ConflictError, NotFoundError
from vitrina.lens import booking, clicks, ledger, missing, networks, shops, terms, wallet
from vitrina.lens.booking import Told
from vitrina.lens.ledger import Wanted
from vitrina.lens.offer import Offer
from vitrina.lens.postback import Conversion
from vitrina.lens.terms import TermSettings
from vitrina.product import Money, new_id
from vitrina.storage.database import Database

NOW = datetime.now(UTC)
OFFER = Offer("best", "1", "Boot", "https://best.example/1", Money(10000, "EUR"), category=("Shoes",))


@pytest.fixture
def click(database: Database) -> str:
    """A click on a boot for 100 EUR with 5 % and 14 days promised, of a shopper with a wallet."""
    return click_on(database)


def click_on(database: Database, **term: Any) -> str:
    with database.session() as session:
        shops.save_shop(session, "best", by="me", currency="EUR")
        networks.set_program(session, "best", "admitad", base="https://ad.admitad.com/g/1/", by="me")
        given = TermSettings("best", **({"percent": "5", "hold_days": 14} | term))
        terms.set_term(session, given, by="me", today=NOW.date() - timedelta(days=1))
        owner = wallet.wallet_of(wallet.open_wallet(session))
        return clicks.open_click(session, OFFER, wallet=owner).click_id


def take(database: Database, sub_id: str, state: str = "pending", now: datetime = NOW, **told: Any) -> Told:
    given = {"network": "admitad", "order_id": "A1", "action": "sale", "order": Decimal("80"), "currency": "EUR"} | told
    conversion = Conversion(**{"commission": None, **given, "sub_id": sub_id, "state": state})
    with database.session() as session:
        return booking.take(session, conversion, who="network:admitad", now=now)


def row(database: Database) -> ledger.LensCashback:
    with database.reading() as session:
        [found] = ledger.list_cashback(session)
        return found


def history(database: Database) -> list[tuple[str, str, int]]:
    with database.reading() as session:
        ids = [found.cashback_id for found in ledger.list_cashback(session)]
        return [(one.before, one.after, one.cashback_minor) for one in ledger.movements(session, ids)]


def test_an_order_gets_what_was_promised_when_it_was_clicked(database: Database, click: str) -> None:
    with database.session() as session:
        terms.replace_term(session, TermSettings("best", percent="1"), by="me", today=NOW.date())

    assert take(database, click).changed

    found = row(database)
    assert (found.state, found.shop, found.click_id) == ("pending", "best", click)
    assert (found.order_minor, found.cashback_minor, found.currency) == (8000, 400, "EUR")
    assert found.payable_on == NOW.date() + timedelta(days=14)
    assert found.wallet is not None


def test_the_same_word_twice_changes_nothing(database: Database, click: str) -> None:
    take(database, click)
    again = take(database, click)

    assert (again.changed, again.why) == (False, "it is known")
    assert history(database) == [("", "pending", 400)]


def test_another_action_of_an_order_is_another_cashback(database: Database, click: str) -> None:
    take(database, click)
    assert take(database, click, action="bonus").changed
    assert take(database, click, order_id="A2").changed
    with database.reading() as session:
        assert len(ledger.list_cashback(session)) == 3


def miss(database: Database, click: str, order_id: str) -> None:
    with database.session() as session:
        owner = clicks.find_click(session, click).wallet  # type: ignore[union-attr]
        missing.miss(session, str(owner), click, order_id=order_id, note="", now=NOW)


def find(database: Database, click: str) -> str:
    with database.session() as session:
        return missing.answer(session, click, found=True, words="here it is", who="me", now=NOW).state


def orders(database: Database) -> set[tuple[str, str, str]]:
    with database.reading() as session:
        return {(one.network, one.order_id, one.state) for one in ledger.list_cashback(session)}


@pytest.mark.parametrize("written", ["A-7", "#a7 "])
@pytest.mark.parametrize("state", ["pending", "approved", "rejected"])
def test_a_missed_order_that_the_network_told_meanwhile_counts_once(
    database: Database, click: str, written: str, state: str
) -> None:
    miss(database, click, written)
    take(database, click, state, order_id="A-7")

    assert find(database, click) == "found"
    assert orders(database) == {("admitad", "A-7", state)}


@pytest.mark.parametrize("written", ["A-7", "#a7 "])
def test_a_network_that_tells_a_missed_order_twice_after_the_answer_adds_none(
    database: Database, click: str, written: str
) -> None:
    miss(database, click, written)
    find(database, click)
    for _ in range(2):
        take(database, click, "approved", order_id="A-7")

    assert orders(database) == {("admitad", "A-7", "approved")}


def test_a_missed_order_beside_another_of_the_same_click_is_entered(database: Database, click: str) -> None:
    miss(database, click, "A-7")
    take(database, click, order_id="A-8")
    find(database, click)

    assert orders(database) == {("admitad", "A-8", "pending"), ("by-hand", "A-7", "pending")}


def test_an_order_moves_along_the_allowed_ways_only(database: Database, click: str) -> None:
    assert take(database, click, "approved").state == "approved"
    for state in ("pending", "rejected", "approved"):
        told = take(database, click, state)
        assert (told.state, told.changed) == ("approved", False)
    assert history(database) == [("", "pending", 400), ("pending", "approved", 400)]


def test_what_is_rejected_stays_so(database: Database, click: str) -> None:
    take(database, click)
    take(database, click, "rejected")
    assert take(database, click, "approved") == Told(
        row(database).cashback_id, "rejected", False, "it is rejected already"
    )


def test_a_smaller_order_gets_less_as_long_as_it_is_pending(database: Database, click: str) -> None:
    take(database, click)
    assert take(database, click, order=Decimal("40")).changed
    take(database, click, "approved", order=Decimal("20"))
    assert not take(database, click, "approved", order=Decimal("10")).changed

    assert history(database) == [
        ("", "pending", 400),
        ("pending", "pending", 200),
        ("pending", "pending", 100),
        ("pending", "approved", 100),
    ]


def test_an_old_word_that_comes_again_does_not_undo_a_correction(database: Database, click: str) -> None:
    take(database, click)
    take(database, click, order=Decimal("40"))

    assert not take(database, click).changed
    assert row(database).cashback_minor == 200
    assert take(database, click, "approved", order=Decimal("80")).changed
    assert (row(database).cashback_minor, row(database).state) == (400, "approved")


WORDS = st.lists(
    st.tuples(
        st.sampled_from(["pending", "approved", "rejected", "by hand: approved", "by hand: rejected", "by hand: paid"]),
        st.integers(0, 200),
    ),
    max_size=8,
)


@given(words=WORDS)
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_said_in_whatever_order_the_history_is_whole_and_allowed(
    database: Database, click: str, words: list[tuple[str, int]]
) -> None:
    order_id = new_id()
    later = NOW + timedelta(days=15)
    for word, order in words:
        if not word.startswith("by hand"):
            take(database, click, word, order_id=order_id, order=Decimal(order))
            continue
        with database.session() as session:
            ids = [one.cashback_id for one in ledger.of_sub_id(session, click) if one.order_id == order_id]
            booking.move_all(session, ids, word.partition(": ")[2], who="me", why="seen", now=later)

    with database.reading() as session:
        found = [one for one in ledger.of_sub_id(session, click) if one.order_id == order_id]
        moves = ledger.movements(session, [one.cashback_id for one in found])
    steps = [(move.before, move.after) for move in sorted(moves, key=lambda move: move.number)]
    assert [move.number for move in sorted(moves, key=lambda move: move.number)] == list(range(1, len(moves) + 1))
    assert all(step in {("", "pending"), ("pending", "pending"), *ledger.ALLOWED} for step in steps)
    assert all(before[1] == after[0] for before, after in pairwise(steps))
    assert len(found) == (1 if any(not word.startswith("by hand") for word, _ in words) else 0)
    assert all(one.state == steps[-1][1] and one.cashback_minor == (one.order_minor or 0) * 5 // 100 for one in found)


@pytest.mark.parametrize(
    ("term", "told", "expected"),
    [
        ({}, {"order": None, "currency": ""}, (None, 500, "EUR")),
        ({}, {"order": Decimal(50), "currency": "USD"}, (5000, 250, "USD")),
        ({"cap": "3"}, {"order": Decimal(50), "currency": "USD"}, (None, 300, "EUR")),
        ({"percent": "", "amount": "2"}, {"order": Decimal(50), "currency": "USD"}, (None, 200, "EUR")),
        ({"percent": "", "amount": "2"}, {"order": Decimal(1)}, (100, 100, "EUR")),
        ({}, {"order": Decimal("0.19")}, (19, 0, "EUR")),
    ],
)
def test_an_amount_that_is_unknown_or_foreign_falls_back_to_the_promise(
    database: Database, term: dict[str, Any], told: dict[str, Any], expected: tuple[int | None, int, str]
) -> None:
    take(database, click_on(database, **term), **told)
    found = row(database)
    assert (found.order_minor, found.cashback_minor, found.currency) == expected


@pytest.mark.parametrize("told", [{}, {"network": "generic"}])
def test_an_order_that_belongs_to_no_click_of_its_network_is_kept_and_pays_nobody(
    database: Database, click: str, told: dict[str, Any]
) -> None:
    take(database, click if told else "unknown", "approved", **told)

    found = row(database)
    assert (found.click_id, found.wallet, found.cashback_minor) == (None, None, 0)
    with database.session() as session, pytest.raises(ConflictError, match="no wallet"):
        booking.move(session, found.cashback_id, "paid", who="me", why="", now=NOW)


def test_an_approved_cashback_is_paid_when_its_days_are_over(database: Database, click: str) -> None:
    take(database, click, "approved")
    cashback_id = row(database).cashback_id
    later = NOW + timedelta(days=14)
    with database.session() as session, pytest.raises(ConflictError, match="held until"):
        booking.move(session, cashback_id, "paid", who="me", why="", now=later - timedelta(days=1))
    with database.session() as session:
        assert ledger.payable(session, NOW.date()) == []
        assert [one.cashback_id for one in ledger.payable(session, later.date())] == [cashback_id]
        booking.move(session, cashback_id, "paid", who="me", why="transfer 7", now=later)
    with database.session() as session, pytest.raises(ConflictError, match="it is paid; nothing follows"):
        booking.move(session, cashback_id, "paid", who="me", why="", now=later)

    with database.reading() as session:
        last = ledger.movements(session, [cashback_id])[-1]
    assert (last.who, last.before, last.after, last.why, last.number) == ("me", "approved", "paid", "transfer 7", 3)


def test_many_are_moved_and_what_may_not_is_named(database: Database, click: str) -> None:
    take(database, click)
    take(database, click, "rejected", order_id="A2")
    with database.session() as session:
        ids = [one.cashback_id for one in ledger.list_cashback(session)]
        moved, kept = booking.move_all(session, [*ids, "none"], "approved", who="me", why="seen", now=NOW)

    assert moved == 1
    assert kept == ["order A2: it is rejected; nothing follows, not approved", "there is no cashback 'none'"]


def test_what_nobody_decides_on_expires(database: Database, click: str) -> None:
    take(database, click)
    with database.session() as session:
        assert booking.expire(session, before=NOW, now=NOW) == 0
        assert booking.expire(session, before=NOW + timedelta(seconds=1), now=NOW) == 1
    assert take(database, click, "approved").state == "expired"


def test_nobody_moves_what_is_not_there_or_makes_it_expire(database: Database, click: str) -> None:
    take(database, click)
    with database.session() as session:
        with pytest.raises(NotFoundError):
            booking.move(session, "none", "approved", who="me", why="", now=NOW)
        with pytest.raises(ConflictError, match="approved or rejected, not expired"):
            booking.move(session, row(database).cashback_id, "expired", who="me", why="", now=NOW)


def test_the_ledger_is_listed_and_added_up(database: Database, click: str) -> None:
    take(database, click)
    take(database, click, "approved", order_id="A2", order=Decimal("10"))
    take(database, "unknown", order_id="A3", currency="USD")
    with database.reading() as session:
        assert ledger.sums(session) == {
            ("pending", "EUR"): (1, 400),
            ("approved", "EUR"): (1, 50),
            ("pending", "USD"): (1, 0),
        }
        today = NOW.date()
        for wanted, count in [
            (Wanted(shop="best"), 2),
            (Wanted(state="approved"), 1),
            (Wanted(network="generic"), 0),
            (Wanted(first=today, last=today), 3),
            (Wanted(first=today + timedelta(days=1)), 0),
            (Wanted(last=today - timedelta(days=1)), 0),
        ]:
            assert len(ledger.list_cashback(session, wanted)) == count, wanted


def test_two_who_bring_the_same_order_at_once_make_one_entry(database: Database, click: str) -> None:
    results: list[Told] = []
    start = threading.Barrier(6)

    def bring() -> None:
        start.wait()
        results.append(take(database, click))

    threads = [threading.Thread(target=bring) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told.changed for told in results) == [False] * 5 + [True]
    assert len({told.cashback_id for told in results}) == 1
    assert history(database) == [("", "pending", 400)]


def test_of_two_decisions_at_once_the_first_counts(database: Database, click: str) -> None:
    take(database, click)
    results: list[Told] = []
    threads = [
        threading.Thread(target=lambda state=state: results.append(take(database, click, state)))
        for state in ("approved", "rejected") * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(told.changed for told in results) == 1
    assert len({told.state for told in results}) == 1
    assert len(history(database)) == 2


def test_a_wallet_sees_its_own(database: Database, click: str) -> None:
    take(database, click)
    owner = row(database).wallet
    assert owner is not None
    with database.reading() as session:
        assert len(ledger.of_wallet(session, owner)) == 1
        assert ledger.of_wallet(session, "another") == []
        assert [one.sub_id for one in ledger.of_sub_id(session, click)] == [click]
