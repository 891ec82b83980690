"""Lines of a till's export become receipts, each once."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.floor.receipts import Known, Receipt, Rejected, by_receipt, read_receipts, rows
from vitrina.floor.setup import shopfile
from vitrina.product import Money

SHOP = shopfile.parse(
    """
[shop]
slug = "riga"
name = "Riga"
timezone = "Europe/Riga"
currency = "EUR"

[plan]
width_m = 10
height_m = 8
"""
).shop


def read(text: str, **columns: str) -> list[Receipt | Rejected]:
    return list(read_receipts(text, SHOP, columns=columns))


def test_a_line_becomes_a_receipt_in_the_shops_own_time_and_currency() -> None:
    assert read("receipt_id,t,total,items\n17,2026-07-01 12:30,12.50,3\n") == [
        Receipt("17", datetime(2026, 7, 1, 9, 30, tzinfo=UTC), Money(1250, "EUR"), 3, 0, 2)
    ]


def test_an_export_with_other_names_day_first_and_a_decimal_comma_is_read() -> None:
    found = read("Bon;Datum;Zeit;Summe\n8;01.07.2026;12:30;1.234,50\n", receipt_id="Bon", t="Datum+Zeit", total="Summe")

    assert found == [Receipt("8", datetime(2026, 7, 1, 9, 30, tzinfo=UTC), Money(123450, "EUR"), 0, 0, 2)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",2026-07-01 12:30,1", "receipt_id: expected the receipt's number"),
        ("1,yesterday,1", "t: expected a moment such as 2026-11-20 14:05"),
        ("1,2026-07-01 12:30,free", "total: expected an amount such as 12.50, got 'free'"),
        ("1,2026-07-01 12:30,nan", "total: expected an amount such as 12.50, got 'nan'"),
        ("1,2026-07-01 12:30", "total: expected an amount such as 12.50, got ''"),
        ('1,2026-07-01 12:30,"12,50"', "total: expected an amount such as 12.50, got '12,50'"),
        ("1,2026-07-01 12:30,12,50", "expected the header's 3 columns, got more; put quotes round"),
        ("1,2026-07-01,1", "t: expected a moment such as 2026-11-20 14:05"),
    ],
)
def test_a_line_that_does_not_fit_costs_that_line_and_says_why(line: str, reason: str) -> None:
    wrong, right = read(f"receipt_id,t,total\n{line}\n2,2026-07-01 12:31,1\n")

    assert isinstance(wrong, Rejected)
    assert wrong.line == 2
    assert reason in wrong.reason
    assert isinstance(right, Receipt)


@pytest.mark.parametrize(
    ("text", "minor"),
    [("1,234.50", 123450), ("1.234,50", 123450), ("1,23,456.00", 12345600), ("12,50", 1250), ("-1 234", -123400)],
)
def test_the_last_of_point_and_comma_is_the_decimal_one(text: str, minor: int) -> None:
    (found,) = read(f"receipt_id;t;total\n1;2026-07-01 12:30;{text};\n")

    assert isinstance(found, Receipt)
    assert found.total == Money(minor, "EUR")


@pytest.mark.parametrize(
    ("others", "text", "currency", "minor"),
    [
        (("12,50",), "1.234", "EUR", 123400),
        (("12.50",), "1.234", "EUR", 123),
        (("12.50",), "1,234", "EUR", 123400),
        (("1.234.567",), "-1.234", "EUR", -123400),
        (("0.500",), "12.500", "EUR", 1250),
        (("1 234.500",), "12.500", "EUR", 1250),
        ((), "1.234", "KWD", 1234),
        ((), "1,234", "BHD", 1234),
        (("1.234,500",), "1.234", "KWD", 1234000),
    ],
)
def test_an_amount_that_may_be_read_in_two_ways_is_read_as_the_files_others(
    others: tuple[str, ...], text: str, currency: str, minor: int
) -> None:
    lines = "".join(f"{n};2026-07-01 12:30;{one};{currency}\n" for n, one in enumerate((text, *others)))

    found = read(f"receipt_id;t;total;currency\n{lines}")

    assert isinstance(found[0], Receipt)
    assert found[0].total == Money(minor, currency)
    assert len(found) == 1 + len(others)


@pytest.mark.parametrize("others", [(), ("12",), ("free. 1,50",), ("12.50", "12,50")])
@pytest.mark.parametrize("text", ["1.234", "1,234", "-1.234"])
def test_an_amount_that_may_be_read_in_two_ways_is_left_out_where_the_others_do_not_tell(
    others: tuple[str, ...], text: str
) -> None:
    lines = "".join(f"{n};2026-07-01 12:30;{one}\n" for n, one in enumerate((text, *others)))

    wrong = read(f"receipt_id;t;total\n{lines}")[0]

    assert isinstance(wrong, Rejected)
    assert wrong.reason.startswith(f"total: '{text}' may be {text.replace(',', '.')} or ")
    assert "1234, and the file's other amounts do not tell which; write it with two decimals" in wrong.reason


def test_between_commas_a_comma_is_before_thousands_and_a_point_alone_may_be_too() -> None:
    amounts, header = ('"1,234"', "1.234"), "receipt_id,t,total\n"
    found = read(header + "".join(f"{n},2026-07-01 12:30,{one}\n" for n, one in enumerate(amounts)))
    settled = read(header + "".join(f"{n},2026-07-01 12:30,{one}\n" for n, one in enumerate((*amounts, "9.90"))))

    assert [one.total.minor for one in found if isinstance(one, Receipt)] == [123400]
    assert [one.line for one in found if isinstance(one, Rejected)] == [3]
    assert [one.total.minor for one in settled if isinstance(one, Receipt)] == [123400, 123, 990]


def test_a_header_without_what_is_needed_says_which_and_how_to_name_it() -> None:
    with pytest.raises(InputError, match=r"only Bon, t\. Say which it is: --column total=NAME"):
        read("Bon,t\n", receipt_id="Bon")
    with pytest.raises(InputError, match="no column 'sum' to fill"):
        read("receipt_id,t,total\n", sum="total")


def test_lines_of_one_receipt_are_added_up_when_the_file_has_one_for_each_item() -> None:
    lines = read("receipt_id,t,total\n1,2026-07-01 12:30,2.50\n1,2026-07-01 12:31,1.50\n2,2026-07-01 12:32,1\n")

    first, second = by_receipt([one for one in lines if isinstance(one, Receipt)], per_item=True)

    assert isinstance(first, Receipt)
    assert (first.total, first.items, first.t.minute) == (Money(400, "EUR"), 2, 30)
    assert isinstance(second, Receipt)


def test_lines_of_the_highest_revision_alone_are_added_up() -> None:
    header, lines = "receipt_id,t,total,revision,currency\n", ("2,1,EUR", "3,1,EUR", "2,2,EUR", "9,2,USD")
    found = read(header + "".join(f"1,2026-07-01 12:30,{line}\n" for line in lines))

    kept, wrong = by_receipt([one for one in found if isinstance(one, Receipt)], per_item=True)

    assert isinstance(kept, Receipt)
    assert (kept.total, kept.items, kept.revision) == (Money(200, "EUR"), 1, 2)
    assert wrong == Rejected(5, "receipt 1 stands on line 4 already, with another currency.")


def test_two_totals_for_one_receipt_are_a_mistake_and_the_same_line_twice_is_none() -> None:
    lines = read("receipt_id,t,total\n1,2026-07-01 12:30,2\n1,2026-07-01 12:30,2\n1,2026-07-01 12:30,3\n")

    kept, wrong = by_receipt([one for one in lines if isinstance(one, Receipt)], per_item=False)

    assert isinstance(kept, Receipt)
    assert kept.total == Money(200, "EUR")
    assert isinstance(wrong, Rejected)
    assert (wrong.line, "Add --per-item" in wrong.reason) == (4, True)


def test_what_is_there_is_left_and_a_changed_total_is_a_new_revision_of_the_same_day() -> None:
    there = {
        "1": Known(1, datetime(2026, 7, 1, 9, tzinfo=UTC), date(2026, 7, 1), Money(200, "EUR"), 1),
        "2": Known(3, datetime(2026, 7, 1, 9, tzinfo=UTC), date(2026, 7, 1), Money(200, "EUR"), 1),
    }
    lines = read("receipt_id,t,total,items\n1,2026-07-01 12:00,2,1\n2,2026-07-05 12:00,-2,1\n3,2026-07-05 12:00,5,2\n")

    changed, new = rows([one for one in lines if isinstance(one, Receipt)], there, SHOP, source="tills")

    assert (changed["receipt_id"], changed["revision"], changed["total_minor"]) == ("2", 4, -200)
    assert changed["business_day"] == date(2026, 7, 1)
    assert (new["receipt_id"], new["revision"], new["business_day"]) == ("3", 1, date(2026, 7, 5))


def test_a_numbered_revision_counts_only_when_it_is_higher() -> None:
    there = {"1": Known(2, datetime(2026, 7, 1, 9, tzinfo=UTC), date(2026, 7, 1), Money(200, "EUR"), 0)}
    lines = read("receipt_id,t,total,revision\n1,2026-07-01 12:00,9,2\n1,2026-07-01 12:00,8,3\n")
    found = by_receipt([one for one in lines if isinstance(one, Receipt)], per_item=False)

    (new,) = rows([one for one in found if isinstance(one, Receipt)], there, SHOP, source="tills")

    assert (new["revision"], new["total_minor"]) == (3, 800)


def test_a_file_that_is_no_table_is_refused() -> None:
    with pytest.raises(InputError, match="line 1: expected a header of column names"):
        read("9" * 200_000)


def test_a_cell_without_end_costs_its_line() -> None:
    wrong, right = read(f"receipt_id,t,total\n{'9' * 200_000},2026-07-01 12:00,2\n2,2026-07-01 12:00,2\n")

    assert isinstance(wrong, Rejected)
    assert isinstance(right, Receipt)


@given(st.text(max_size=400))
def test_any_text_gives_receipts_or_reasons(text: str) -> None:
    for one in read("receipt_id,t,total\n" + text):
        assert isinstance(one, Receipt | Rejected)
