from __future__ import annotations

from datetime import date

import pytest

from vitrina.errors import InputError
from vitrina.lens.offer import Reject
from vitrina.lens.sheet import to_csv
from vitrina.lens.termfile import read_terms
from vitrina.lens.terms import TermSettings


def test_a_table_of_terms_is_read_line_by_line() -> None:
    text = (
        "\ufeffshop;category;rate;cap;hold_days;valid_from;valid_to\n"
        "best;Shoes > Boots;7,5 %;10,00;14;2026-06-01;30.06.2026\n"
        "\n"
        "best;;2.50 eur;;;;\n"
        "best;Bags;much;;;;\n"
        "best;Bags;5%;;soon;;\n"
        "best;Bags;5%;;;tomorrow;\n"
    )
    assert list(read_terms(text)) == [
        (
            2,
            TermSettings("best", ("Shoes", "Boots"), "7.5", "", "10.00", "", 14, date(2026, 6, 1), date(2026, 6, 30)),
        ),
        (4, TermSettings("best", (), "", "2.50", "", "EUR", 30)),
        Reject(5, "", "rate: expected `5 %` or `2.50 EUR`, got 'much'"),
        Reject(6, "", "hold_days: expected a number of days, got 'soon'"),
        Reject(7, "", "valid_from: expected a day such as 2026-11-03 or 03.11.2026, got 'tomorrow'"),
    ]


def test_columns_may_have_other_names() -> None:
    text = "Tariff,Payment\nShoes,5%\nBags,2\n"
    found = list(read_terms(text, shop="best", columns={"category": "tariff", "rate": "Payment"}))

    assert found == [
        (2, TermSettings("best", ("Shoes",), "5")),
        (3, TermSettings("best", ("Bags",), "", "2")),
    ]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("", {}, "no header"),
        ("shop,category\nbest,Shoes\n", {}, "columns shop and rate"),
        ("shop,rate\n", {"rate": "Payment"}, "expected Payment; the table has shop, rate"),
        ("shop,rate\n", {"price": "rate"}, "expected some of shop"),
        ("shop,rate\n" + "x" * 200_000, {}, "line 2: not readable as CSV"),
    ],
)
def test_a_table_without_what_is_needed_is_refused(text: str, columns: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(read_terms(text, columns=columns))


def test_a_spreadsheet_takes_nothing_for_a_formula() -> None:
    rows = [["=1+1", "@x", "-1", -1, None, date(2026, 6, 1), 'a "b", c']]
    assert to_csv(["a"], rows) == 'a\r\n\'=1+1,\'@x,\'-1,-1,,2026-06-01,"a ""b"", c"\r\n'
