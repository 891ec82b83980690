from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vitrina.cli.lens import app
from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.lens import booking, clicks, ledger, store, wallet
from vitrina.lens.forgetting import forget_gone
from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.lens.lakestore import LENS_TABLES, EventLog
from vitrina.lens.postback import Conversion
from vitrina.product import Money, new_id
from vitrina.storage.lake import Lake

Run = Callable[..., Any]


@pytest.fixture
def run(lens_home: Any) -> Run:
    """run("terms", "list") → what it prints; raises what it raises."""

    def run(*words: str, group: str = "cashback", exit_code: int = 0) -> str:
        done = CliRunner().invoke(app, [group, *words], obj=lens_home.settings)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == exit_code, done.output
        return done.stdout

    return run


def bought(home: Any, state: str, days_ago: int = 0) -> str:
    """A search, a click of a wallet and an order: the sub-id."""
    search_id = new_id()
    price = Money(4990, "EUR")
    offers = (FoundOffer("best", "Best", "1", "Boot", price, None, None, price, True),)
    product = FoundProduct("p", "Boot", "", ("Shoes",), "", 1.0, 1.0, offers)
    with EventLog(Lake(home.settings.lake, tables=LENS_TABLES), "test") as log:
        log.log_search(Found(search_id, (product,), (), (0, 0, 1, 1), (), 1.0))
    database = home.database()
    catalog = store.open_catalog(home.settings.lens / "catalog.db")
    offer = store.offer(catalog, "best", "1")
    catalog.close()
    assert offer is not None
    then = datetime.now(UTC) - timedelta(days=days_ago)
    with database.session() as session:
        owner = wallet.wallet_of(wallet.open_wallet(session))
        click = clicks.open_click(session, offer, search_id=search_id, wallet=owner)
        told = Conversion("admitad", f"A{days_ago}", "sale", click.click_id, state, Decimal("49.90"), None, "EUR")
        booking.take(session, told, who="network:admitad", now=then)
    database.dispose()
    return click.click_id


def test_terms_are_set_listed_and_removed(run: Run) -> None:
    [term] = json.loads(run("terms", "set", "best", "--category", "Shoes > Boots", "--percent", "7,5", "--json"))
    run("terms", "set", "best", "--category", "Bags", "--amount", "2.50", "--cap", "2", "--to", "2099-12-31")

    listed = json.loads(run("terms", "list", "--shop", "best", "--json"))
    assert [(one["category"], one["percent"], one["amount"], one["cap"]) for one in listed] == [
        ("", "5", None, None),
        ("Bags", None, "2.50", "2.00"),
        ("Shoes › Boots", "7.5", None, None),
    ]
    assert "2.50 EUR" in run("terms", "list")
    run("terms", "remove", term["term_id"][-8:])
    assert len(json.loads(run("terms", "list", "--json"))) == 2


def test_a_term_that_overlaps_needs_a_word(run: Run) -> None:
    with pytest.raises(ConflictError, match="--replace"):
        run("terms", "set", "best", "--percent", "6")
    run("terms", "set", "best", "--percent", "6", "--replace")

    listed = json.loads(run("terms", "list", "--json"))
    assert [(one["percent"], one["valid_to"] is None) for one in listed] == [("5", False), ("6", True)]


def test_terms_come_from_a_networks_table(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "tariffs.csv"
    file.write_text("Tariff;Payment\nShoes;7%\nBags;much\nHats;2.50 EUR\n;9%\n", encoding="utf-8")

    words = ("terms", "import", str(file), "--shop", "best", "--column", "category=Tariff", "--column", "rate=Payment")
    answer = json.loads(run(*words, "--json"))

    assert [one["category"] for one in answer["taken"]] == ["Shoes", "Hats"]
    assert [one["line"] for one in answer["rejected"]] == [3, 5]
    assert "3 terms, 1 lines left out" in run(*words, "--replace")
    with pytest.raises(InputError, match="OURS=THEIRS"):
        run("terms", "import", str(file), "--column", "rate")
    with pytest.raises(InputError, match="no such file"):
        run("terms", "import", str(tmp_path / "none.csv"), "--shop", "best")


def test_a_network_is_added_with_its_words_and_its_secret(run: Run, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a long enough secret\n")
    run(
        *("networks", "add", "big", "--template", "{base}?to={url}&s1={s1}", "--sub-id", "s1=64"),
        *("--field", "sub_id=s1", "--state", "7=approved"),
    )
    said = run("networks", "set-secret", "big", "--secret-file", str(key), "--json")
    run("networks", "program", "best", "--network", "big", "--base", "https://big.example/go")

    assert "long enough" not in said
    [big] = [one for one in json.loads(run("networks", "list", "--json")) if one["name"] == "big"]
    assert (big["sub_ids"], big["proves_by"], big["shops"]) == ({"s1": 64}, ["secret"], ["best"])
    assert big["postback"].endswith("/postback/big")
    assert "nothing yet" in run("networks", "list")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("networks", "add", "big", "--template", "https://x/?u={url}"), "template"),
        (("networks", "add", "big", "--sub-id", "s1"), "NAME=VALUE"),
        (("networks", "add", "big", "--sub-id", "s1=long"), "length"),
        (("networks", "add", "big", "--field", "price=p"), "expected some of order_id"),
        (("networks", "add", "big", "--state", "7=paid"), "pending, approved, rejected"),
        (("networks", "set-secret", "admitad"), "--ask-secret"),
        (("networks", "program", "best", "--network", "admitad"), "expected an address"),
        (("ledger", "--state", "gone"), "--state"),
        (("ledger", "--csv", "--json"), "choose one"),
        (("pay",), "--reference"),
    ],
)
def test_what_does_not_fit_is_refused(run: Run, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(*words)


def test_a_secret_that_can_be_guessed_is_refused(run: Run, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("short")
    with pytest.raises(InputError, match="at least 16"):
        run("networks", "set-secret", "admitad", "--token-file", str(key))
    with pytest.raises(NotFoundError, match="did you mean admitad"):
        run("networks", "set-secret", "admitat", "--remove")


def test_the_ledger_is_printed_paid_and_traced(lens_home: Any, run: Run) -> None:
    sub_id = bought(lens_home, "approved", days_ago=20)
    held = bought(lens_home, "approved")

    rows = list(csv.DictReader(io.StringIO(run("ledger", "--csv"))))
    assert [(row["order_id"], row["cashback"], row["sub_id"]) for row in rows] == [
        ("A0", "2.49", held),
        ("A20", "2.49", sub_id),
    ]
    assert [one["sub_id"] for one in json.loads(run("pay", "--dry-run", "--json"))] == [sub_id]
    assert json.loads(run("pay", "--reference", "transfer 7", "--json")) == {"paid": 1, "kept": []}
    assert "held until" in run("pay", rows[0]["cashback_id"], "--reference", "x", "--json", exit_code=1)
    assert "paid" in run("ledger", "--state", "paid")

    traced = json.loads(run("trace", sub_id, "--json"))
    assert (traced["search"]["outcome"], traced["search"]["shops"]) == ("exact", ["best"])
    assert (traced["click"]["price"], traced["click"]["promised"]) == ("49.90 EUR", "2.49 EUR")
    steps = [(one["before"], one["after"], one["why"]) for one in traced["orders"][0]["movements"]]
    assert [step[:2] for step in steps] == [("", "pending"), ("pending", "approved"), ("approved", "paid")]
    assert steps[-1][2] == "transfer 7"
    shown = run("trace", sub_id).splitlines()
    assert [line.split()[0] for line in shown] == ["search", "click", "order", "cashback", "cashback", "payout"]
    with pytest.raises(NotFoundError):
        run("trace", "nothing")


def test_the_report_counts_from_searches_to_cashback(lens_home: Any, run: Run) -> None:
    bought(lens_home, "pending")

    answer = json.loads(run("--json", group="report"))
    [line] = answer["shops"]
    assert (line["shop"], line["searches"], line["orders"]) == ("best", None, 1)
    assert line["cashback"] == [{"state": "pending", "amount": "2.49 EUR"}]
    assert "< 5" in run(group="report")
    assert run("--csv", group="report").startswith("shop,searches,")
    with pytest.raises(InputError, match="first day"):
        run("--from", "2026-02-01", "--to", "2026-01-01", group="report")


def test_a_claim_is_traced_though_its_offer_is_long_forgotten(
    lens_home: Any, run: Run, offer_put: Callable[..., None]
) -> None:
    sub_id = bought(lens_home, "approved")
    offer_put(lens_home, "2", "https://best.example/2")
    with closing(store.open_catalog(lens_home.settings.lens / "catalog.db")) as catalog, catalog:
        catalog.execute("UPDATE offers SET gone_at = 1.0 WHERE offer_id = '1'")

    assert forget_gone(lens_home.settings).offers == 1

    traced = json.loads(run("trace", sub_id, "--json"))
    assert (traced["click"]["name"], traced["click"]["price"], len(traced["orders"])) == ("Boot", "49.90 EUR", 1)
    assert [row["sub_id"] for row in csv.DictReader(io.StringIO(run("ledger", "--csv")))] == [sub_id]


def test_each_night_what_nobody_decided_on_is_closed_and_what_led_to_nothing_is_forgotten(lens_home: Any) -> None:
    from vitrina.cli.jobs import handlers, schedules, settle_cashback

    bought(lens_home, "pending", days_ago=181)
    bought(lens_home, "pending", days_ago=179)
    database = lens_home.database()

    assert settle_cashback(lens_home.settings, database, datetime.now(UTC)) == "1 expired, 0 clicks forgotten"

    with database.reading() as session:
        assert {row.order_id: row.state for row in ledger.list_cashback(session)} == {
            "A181": "expired",
            "A179": "pending",
        }
    assert "lens.settle" in handlers(lens_home.settings, database)
    assert "lens.settle" in {schedule.name for schedule in schedules(lens_home.settings, is_demo=False)}
    database.dispose()
