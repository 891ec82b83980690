"""How good the search is: the CSV, the shares, the page to look at, the contest's layout."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitrina.errors import ConflictError, InputError
from vitrina.lens.confusions import write_page
from vitrina.lens.contest import Item, write_contest
from vitrina.lens.evaluate import Outcome, Query, by_category, confused, fractions, outcome, read_queries, score
from vitrina.lens.found import Found, FoundOffer, FoundProduct
from vitrina.product import Money


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (64, 48), (200, 20, 20)).save(path)
    return path


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "queries.csv"
    path.write_text(text, encoding="utf-8")
    return path


def product(*offers: str, likeness: float = 0.9) -> FoundProduct:
    """product("shop/7") → a product with that offer."""
    price = Money(1000, "EUR")
    told = tuple(
        FoundOffer(shop, shop, offer_id, "Shoe", price, None, None, price, True)
        for shop, _, offer_id in (offer.partition("/") for offer in offers)
    )
    return FoundProduct("p", "Shoe <b>", "", (), "sha", likeness, likeness, told)


def found(*products: FoundProduct) -> Found:
    return Found("s", (), products, (0, 0, 1, 1), (), cpu_ms=20.0)


def query(answer: str, category: str = "", path: Path = Path("a.jpg")) -> Query:
    return Query(2, path, frozenset(answer.split("|")), None, category)


def test_a_csv_is_read_with_and_without_boxes(photo: Path, tmp_path: Path) -> None:
    path = written(tmp_path, "photo,x1,y1,x2,y2,answer,category\na.jpg,1,2,30,40,7|shop/8,shoes\na.jpg,,,,,9,\n")

    first, second = read_queries(path)

    assert first == Query(2, photo, frozenset({"7", "shop/8"}), (1, 2, 30, 40), "shoes")
    assert second.box_xyxy is None
    assert read_queries(path, ignore_boxes=True)[0].box_xyxy is None


def test_photos_may_lie_in_a_folder_called_as_the_csv(tmp_path: Path) -> None:
    (tmp_path / "queries").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "queries" / "b.jpg")

    (only,) = read_queries(written(tmp_path, "photo,answer\nb.jpg,7\n"))

    assert only.photo == tmp_path / "queries" / "b.jpg"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("photo,offer\na.jpg,7\n", "no answer in photo, offer"),
        ("", "no answer and photo in an empty file"),
        ("photo,answer\n", "has no queries"),
        ("photo,answer\nmissing.jpg,7\n", r"queries\.csv:2: photo: there is no file 'missing\.jpg'"),
        ("photo,answer\na.jpg,7\na.jpg, | \n", r"queries\.csv:3: answer: expected an offer id"),
        ("photo,answer,x1,y1,x2,y2\na.jpg,7,1,2,x,4\n", r":2: box: expected four numbers .* found 1, 2, x, 4"),
        ("photo,answer,x1,y1,x2,y2\na.jpg,7,1,2,,4\n", ":2: box: expected four numbers"),
        ("photo,answer,x1,y1,x2,y2\na.jpg,7,9,2,3,4\n", ":2: box: expected x1 < x2"),
    ],
)
def test_what_is_wrong_in_a_csv_is_named_with_its_line(text: str, reason: str, photo: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        read_queries(written(tmp_path, text))


def test_a_box_in_pixels_becomes_fractions_of_the_upright_photo() -> None:
    assert fractions((10, 20, 50, 40), (100, 80)) == (0.1, 0.25, 0.5, 0.5)


@pytest.mark.parametrize(
    ("answer", "rank"), [("7", 1), ("shop/7", 1), ("other/7", None), ("8", 2), ("1|9|8", 2), ("nothing", None)]
)
def test_the_rank_is_that_of_the_first_product_with_a_right_offer(answer: str, rank: int | None) -> None:
    assert outcome(query(answer), found(product("shop/7"), product("a/5", "b/8"))).rank == rank


def test_a_search_that_would_show_nothing_is_counted_but_its_order_still_measured() -> None:
    unlike = outcome(query("7"), found(product("shop/7", likeness=0.1)))

    assert (unlike.rank, unlike.alike) == (1, False)
    assert outcome(query("7"), found()).alike is False


def ranks(*places: int | None, category: str = "") -> list[Outcome]:
    return [Outcome(query("7", category), place, (), 10.0) for place in places]


def test_recall_has_wilsons_interval() -> None:
    total = score(ranks(1, 1, 3, 7, None, 1, 1, 1, 1, 1))

    assert [round(total.recall[k].value, 2) for k in (1, 5, 10)] == [0.7, 0.8, 0.9]
    assert (round(total.recall[1].low, 4), round(total.recall[1].high, 4)) == (0.3968, 0.8922)  # Wilson (1927), 7 of 10
    assert (total.queries, total.cpu_ms_per_query) == (10, 10.0)


def test_categories_are_told_apart_the_largest_first() -> None:
    told = by_category([*ranks(1, category="bags"), *ranks(None, 1, category="shoes")])

    assert {name: one.recall[1].value for name, one in told.items()} == {"shoes": 0.5, "bags": 1.0}
    assert list(told) == ["shoes", "bags"]


def test_the_worst_confusions_come_first() -> None:
    assert [one.rank for one in confused(ranks(2, 1, None, 9))] == [None, 9, 2]


def test_the_page_of_confusions_needs_no_other_file(photo: Path, tmp_path: Path) -> None:
    one = outcome(query("8", path=photo), found(product("shop/7"), product("shop/8")))
    picture = np.full((40, 40, 3), 90, np.uint8)

    page = write_page(tmp_path / "out", [one], score([one]), lambda sha: picture if sha == "sha" else None, {"8": ""})

    text = page.read_text(encoding="utf-8")
    assert "1 of 1 photos whose first product is wrong" in text
    assert "right at 2" in text
    assert "right: 8 (no picture is kept)" in text
    assert "<td>2</td><td class=n>1</td>" in text  # one of them had the right product at place 2
    assert "<i class=looked style='left:0.0%;top:0.0%;width:100.0%;height:100.0%'></i>" in text
    assert "Shoe &lt;b&gt;" in text
    assert set(re.findall(r"(?:src|href)=['\"]?(\w+:)", text)) == {"data:"}


def test_the_page_of_confusions_counts_which_categories_are_mistaken(photo: Path, tmp_path: Path) -> None:
    boots = Query(2, photo, frozenset({"8"}), (1.0, 1.0, 9.0, 9.0), "Boots")
    bags = Query(3, photo, frozenset({"9"}), category="Bags")
    wrong = [outcome(boots, found(product("shop/7"))), outcome(boots, found()), outcome(bags, found())]

    text = write_page(tmp_path / "out", wrong, score(wrong), lambda _sha: None, {}).read_text(encoding="utf-8")

    assert "Boots → nothing" in text
    assert "Bags → nothing" in text
    assert "not among those found</td><td class=n>3" in text
    assert "<i class=drawn" in text


def test_a_contest_keeps_its_answers_apart(photo: Path, tmp_path: Path) -> None:
    queries = [Query(n, photo, frozenset({str(n)}), (1.0, 2.0, 3.0, 4.0) if n == 2 else None) for n in range(2, 7)]

    offers = write_contest(tmp_path / "contest", queries, [Item("shop/2", "Shoe", "Shoes", photo)])

    public = (tmp_path / "contest" / "public" / "queries.csv").read_text()
    with (tmp_path / "contest" / "private" / "answers.csv").open() as file:
        answers = {row["query"]: row["answer"] for row in csv.DictReader(file)}
    assert offers == 1
    assert public.splitlines()[0] == "query,photo,x1,y1,x2,y2"
    assert len(list((tmp_path / "contest" / "public" / "photos").iterdir())) == 5
    assert sorted(answers.values()) == ["2", "3", "4", "5", "6"]
    assert list(answers.values()) != ["2", "3", "4", "5", "6"]
    assert "answer" not in public
    assert 'metric = "recall@1"' in (tmp_path / "contest" / "contest.toml").read_text()


def test_a_contest_is_not_written_over_something(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="is not empty"):
        write_contest(tmp_path, [query("7", path=photo)], [])
