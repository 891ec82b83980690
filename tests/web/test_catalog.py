"""The catalog manager's pages: feeds as they are, imports that wait, products that are taken apart."""

from __future__ import annotations

import csv
import html
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from vitrina.lens.decisions import forget
from vitrina.lens.product import refresh_products
from vitrina.storage.audit import entries
from vitrina.work.jobs import list_jobs


@pytest.fixture
def anna(lens_home: Any, serve: Callable[..., str], visit: Callable[[str], Any]) -> Any:
    lens_home.person("anna@example.org", ("admin", None), name="Anna")
    visitor = visit(serve(lens_home))
    visitor.sign_in("anna@example.org")
    return visitor


def test_before_the_first_feed_the_page_says_which_command_comes_next(anna: Any) -> None:
    page = anna.get("/catalog").text

    assert "vitrina lens import feed.xml" in page
    assert anna.get("/catalog/products").text.count("vitrina lens sync") == 1


def test_a_feed_tells_its_offers_and_what_was_left_out_and_why(shelf: Any, anna: Any) -> None:
    feed_id = shelf.take("good", shelf.offer("1"), shelf.offer("2", price="free"))

    page = anna.get(f"/catalog/feeds/{feed_id}").text

    assert "expected a price such as 499.00" in page
    assert "free" in page
    assert f"/catalog/feeds/{feed_id}" in anna.get("/catalog").text
    rejected = anna.get(f"/catalog/feeds/{feed_id}/rejects.csv").text.splitlines()
    assert rejected[0] == "line,offer_id,reason"
    assert rejected[1].startswith("1,2,")
    head, row = anna.get("/catalog/feeds.csv").text.splitlines()
    assert dict(zip(head.split(","), row.split(","), strict=True))["rejected"] == "1"


def test_what_was_mended_is_told_until_an_import_mends_nothing(shelf: Any, anna: Any) -> None:
    offer = shelf.offer("1")
    feed_id = shelf.take("good", offer.replace("Boot 1", "Boot & Co &nbsp; 1"))

    page = html.unescape(anna.get(f"/catalog/feeds/{feed_id}").text)

    assert "line 1: HTML's names of characters (such as &nbsp;) read" in page
    assert "line 1: & that stands alone read as itself" in page
    shelf.take("good", offer)
    assert "Mended in the newest import" not in anna.get(f"/catalog/feeds/{feed_id}").text


def test_programs_read_the_same_figures(shelf: Any, serve: Callable[..., str]) -> None:
    feed_id = shelf.take("good", shelf.offer("1"), shelf.offer("2", price="free"))
    person = shelf.home.person("lin@example.org", ("engineer", None))
    bearer = {"Authorization": f"Bearer {shelf.home.key(person, 'catalog.view')}"}
    asking = httpx.Client(base_url=serve(shelf.home), headers=bearer, timeout=60)

    [feed] = asking.get("/api/v1/lens/feeds").json()
    [reject] = asking.get(f"/api/v1/lens/feeds/{feed_id}/rejects").json()
    mended = asking.get(f"/api/v1/lens/feeds/{feed_id}/notes").json()

    assert (feed["shop"], feed["state"], feed["offers"], feed["rejected"], feed["level"]) == (
        "good", "done", 1, 1, "warn",
    )  # fmt: skip
    assert reject["offer_id"] == "2"
    assert mended == []
    assert asking.get("/api/v1/lens/feeds/none/rejects").status_code == 404
    asking.close()


def test_an_import_that_is_held_waits_for_somebody_who_approves_it(shelf: Any, anna: Any) -> None:
    shelf.take("good", *(shelf.offer(str(number)) for number in range(10)))
    shelf.take("good", shelf.offer("1"))
    page = anna.get("/catalog").text
    assert "waits for you" in page
    assert "more than a third would be gone" in page
    import_id = page.partition("/catalog/imports/")[2].partition("/")[0]

    answer = anna.post(f"/catalog/imports/{import_id}/approve", "/catalog")

    assert answer.headers["Location"] == "/catalog?done=approve"
    row = anna.get("/catalog/feeds.csv").text.splitlines()[1].split(",")
    assert row[2:4] == ["1", "9"]
    database = shelf.home.database()
    with database.reading() as session:
        assert "lens.import.approve" in {one.action for one in entries(session)}
        assert "lens.sync" in {job.name for job in list_jobs(session)}
    database.dispose()
    again = anna.post(f"/catalog/imports/{import_id}/approve", "/catalog/products")
    assert again.status_code == 409
    assert "not held" in again.text


def test_an_import_that_is_refused_changes_nothing(shelf: Any, anna: Any) -> None:
    shelf.take("good", *(shelf.offer(str(number)) for number in range(10)))
    shelf.take("good", shelf.offer("1"))
    import_id = anna.get("/catalog").text.partition("/catalog/imports/")[2].partition("/")[0]

    anna.post(f"/catalog/imports/{import_id}/refuse", "/catalog")

    assert anna.get("/catalog/feeds.csv").text.splitlines()[1].split(",")[2:4] == ["10", "0"]


def test_import_now_asks_for_a_job(shelf: Any, anna: Any) -> None:
    feed_id = shelf.take("good", shelf.offer("1"))

    anna.post(f"/catalog/feeds/{feed_id}/import", f"/catalog/feeds/{feed_id}")

    database = shelf.home.database()
    with database.reading() as session:
        asked = [job.payload for job in list_jobs(session) if job.name == "lens.import"]
    assert asked == [{"feed": feed_id}]
    database.dispose()


def test_an_offer_that_is_split_off_stays_a_product_of_its_own(shelf: Any, anna: Any) -> None:
    shelf.take("good", shelf.offer("1", gtin="4006381333931"))
    shelf.take("better", shelf.offer("7", price="47.50", gtin="4006381333931"))
    merge(shelf.home)
    page = anna.get("/catalog/products").text
    assert "same GTIN" in page
    assert "4006381333931" in page
    assert "good,1," in anna.get("/catalog/products.csv").text

    anna.post("/catalog/products/split", "/catalog/products", shop="better", offer_id="7")

    assert "merged-about" not in anna.get("/catalog/products").text
    shelf.take("better", shelf.offer("7", price="45.00", gtin="4006381333931"))
    merge(shelf.home)
    assert "merged-about" not in anna.get("/catalog/products").text


def test_a_split_touches_this_offer_alone_and_the_next_sync_does_the_rest(shelf: Any, anna: Any) -> None:
    for shop, offer_id in (("fine", "1"), ("good", "2"), ("other", "3")):
        shelf.take(shop, shelf.offer(offer_id, gtin="4006381333931"))
    merge(shelf.home)
    shelf.take("later", shelf.offer("4", gtin="4006381333931"))

    anna.post("/catalog/products/split", "/catalog/products", shop="other", offer_id="3")

    assert "same GTIN" in anna.get("/catalog/products").text
    assert merged(anna) == {("same GTIN", "fine", "1"), ("same GTIN", "good", "2")}
    merge(shelf.home)
    assert merged(anna) == {("same GTIN", "fine", "1"), ("same GTIN", "good", "2"), ("same GTIN", "later", "4")}


def test_a_split_that_is_taken_back_leaves_nothing(shelf: Any, anna: Any) -> None:
    shelf.take("good", shelf.offer("1", gtin="4006381333931"))
    shelf.take("better", shelf.offer("7", gtin="4006381333931"))
    merge(shelf.home)
    before = merged(anna)
    anna.post("/catalog/products/split", "/catalog/products", shop="better", offer_id="7")
    assert merged(anna) == set()

    database = shelf.home.database()
    with database.session() as session:
        forget(session, ("better", "7"), by="me")
    database.dispose()
    merge(shelf.home)

    assert merged(anna) == before


def merged(anna: Any) -> set[tuple[str, str, str]]:
    """Reason, shop and offer of what is shown."""
    rows = csv.DictReader(anna.get("/catalog/products.csv").text.splitlines())
    return {(row["reason"], row["shop"], row["offer_id"]) for row in rows}


def test_a_name_with_marks_of_sql_finds_only_itself(shelf: Any, anna: Any) -> None:
    shelf.take("good", shelf.offer("1", gtin="4006381333931"))
    shelf.take("better", shelf.offer("7", gtin="4006381333931"))
    merge(shelf.home)

    assert "merged-about" in anna.get("/catalog/products?q=boot+7").text
    assert "merged-about" not in anna.get("/catalog/products?q=%25").text


def test_who_may_only_look_sees_no_buttons_and_changes_nothing(
    shelf: Any, serve: Callable[..., str], visit: Callable[[str], Any]
) -> None:
    feed_id = shelf.take("good", shelf.offer("1"))
    shelf.home.person("lin@example.org", ("analyst", None), name="Lin")
    lin = visit(serve(shelf.home))
    lin.sign_in("lin@example.org")

    assert "Import now" not in lin.get("/catalog").text
    assert lin.post(f"/catalog/feeds/{feed_id}/import", "/catalog").status_code == 403
    assert lin.post("/catalog/products/split", "/catalog", shop="good", offer_id="1").status_code == 403


def merge(home: Any) -> None:
    from contextlib import closing

    from vitrina.lens import store
    from vitrina.lens.decisions import load_decisions

    database = home.database()
    with closing(store.open_catalog(home.settings.lens / "catalog.db")) as catalog, database.reading() as session:
        refresh_products(catalog, load_decisions(session))
    database.dispose()
