from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path

import pytest

from vitrina.errors import InputError
from vitrina.lens.feed.reading import Reading, read_feed
from vitrina.lens.offer import Offer, Reject
from vitrina.product import Money

REAL = Path(__file__).parents[4] / "shared" / "data" / "lens" / "feeds"
"""Real feeds, where this machine has them; the tests that need them are skipped elsewhere."""


def reading(content: bytes | str, **options: object) -> Reading:
    content = content.encode() if isinstance(content, str) else content
    return read_feed(BytesIO(content), "best", **({"name": "f.xml"} | options))  # type: ignore[arg-type]


def offers(content: bytes | str, **options: object) -> list[Offer]:
    return [one for one in reading(content, **options) if isinstance(one, Offer)]


def rejects(content: bytes | str, **options: object) -> list[Reject]:
    return [one for one in reading(content, **options) if isinstance(one, Reject)]


def yml(*records: str, head: str = "", tail: str = "</offers></shop></yml_catalog>") -> str:
    return f'<?xml version="1.0"?>\n<yml_catalog><shop><name>Best</name>{head}<offers>\n{"".join(records)}{tail}'


def record(inner: str = "", attributes: str = "id='1'", price: str = "<price>10</price>") -> str:
    return f"<offer {attributes}><url>https://a.example/1</url><name>Shoe</name>{price}{inner}</offer>\n"


RUB = '<currencies><currency id="RUR" rate="1"/><currency id="USD" rate="90"/></currencies>'


# YML -----------------------------------------------------------------------------------------------------------------


def test_an_offer_of_yml_has_everything_that_stands_in_it() -> None:
    head = (
        RUB + '<categories><category id="1">Shoes</category><category id="2" parentId="1">Boots</category></categories>'
    )
    inner = (
        "<currencyId>RUR</currencyId><categoryId>2</categoryId><oldprice>15</oldprice><vendor>Adi</vendor>"
        "<vendorCode>V-1</vendorCode><barcode>1</barcode><barcode>4006381333931</barcode><picture>https://a.example/1.jpg"
        "</picture><picture>https://a.example/2.jpg</picture><param name='Colour'>Burgundy (Pre-order)</param>"
        "<param name='Weight' unit='kg'>2</param><description><![CDATA[<b>Warm</b> &amp; dry]]></description>"
    )

    assert offers(yml(record(inner, "id='7' group_id='g' available='true'"), head=head)) == [
        Offer(
            shop="best",
            offer_id="7",
            name="Shoe",
            url="https://a.example/1",
            price=Money(1000, "RUB"),
            old_price=Money(1500, "RUB"),
            group_id="g",
            brand="Adi",
            vendor_code="V-1",
            gtin="4006381333931",
            category=("Shoes", "Boots"),
            pictures=("https://a.example/1.jpg", "https://a.example/2.jpg"),
            params=(("Colour", "Burgundy"), ("Weight", "2 kg"), ("availability", "pre-order")),
            description="Warm & dry",
            line=3,
        )
    ]


@pytest.mark.parametrize(
    ("attributes", "inner", "available"),
    [
        ("id='1'", "", True),
        ("id='1' available='false'", "", False),
        ("id='1' available='true'", "<available>false</available>", False),
        ("id='1' available='true'", "<count>0</count>", False),
        ("id='1' available='true' deleted='true'", "", False),
        ("id='1' available='true'", "<available>true</available><count>3</count>", True),
    ],
)
def test_availability_stands_in_an_attribute_a_child_or_a_count(attributes: str, inner: str, available: bool) -> None:
    assert [one.available for one in offers(yml(record(inner, attributes), head=RUB))] == [available]


def test_an_offer_without_a_name_is_called_by_its_maker_and_model() -> None:
    made = (
        "<offer id='1'><url>https://a.example</url><price>1</price><typePrefix>Printer</typePrefix><vendor>HP</vendor>"
    )

    assert offers(yml(f"{made}<model>D1</model></offer>", head=RUB))[0].name == "Printer HP D1"


def test_a_category_tree_that_runs_in_a_circle_ends() -> None:
    head = RUB + '<category id="1" parentId="2">A</category><category id="2" parentId="1">B</category>'

    assert offers(yml(record("<categoryId>1</categoryId>"), head=head))[0].category == ("B", "A")


def test_the_feeds_currency_is_for_prices_that_name_none_and_then_the_shops() -> None:
    assert offers(yml(record(), head=RUB), currency="EUR")[0].price == Money(1000, "RUB")
    assert offers(yml(record()), currency="EUR")[0].price == Money(1000, "EUR")
    assert "--currency" in rejects(yml(record()))[0].reason


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (record(price=""), "expected a price, got none"),
        (record(price="<price>0</price>"), "expected a price above 0, got '0'"),
        (record("<currencyId>GOLD</currencyId>"), "expected a currency such as EUR, got 'GOLD'"),
        (record(attributes="ID='1'"), "expected an id of 1 to 200 letters"),
        ("<offer id='1'><price>1</price><name>x</name></offer>\n", "expected the address of its page, got none"),
        (record("<name2>").replace("<name2>", "<b>"), "not well-formed XML at line 3"),
    ],
)
def test_a_wrong_offer_costs_that_offer_and_says_why(wrong: str, reason: str) -> None:
    found = list(reading(yml(wrong, record(attributes="id='2'"), head=RUB)))

    assert isinstance(found[0], Reject)
    assert found[0].line == 3
    assert found[0].reason.startswith(reason)
    assert [one.offer_id for one in found if isinstance(one, Offer)] == ["2"]


def test_what_is_plainly_meant_is_mended_and_said() -> None:
    feed = yml(
        record("<description>H&M &nbsp;&copy; 5&#0;\x0b</description>"),
        record("<x:y>1</x:y>", "id='2'"),
        head=RUB,
    )
    found = reading(feed)

    assert [one.offer_id for one in found if isinstance(one, Offer)] == ["1", "2"]
    assert found.facts.sentences() == [
        "line 3: control characters left out",
        "line 3: numbers of characters that XML does not know left out",
        "line 3: HTML's names of characters (such as &nbsp;) read",
        "line 3: & that stands alone read as itself",
        "line 4: prefixes that nothing declares taken as they are",
    ]


def test_a_wrong_byte_is_left_out_and_said() -> None:
    content = yml(record("<vendor>Adidas</vendor>"), head=RUB).encode().replace(b"Adi", b"A\xffdi")
    found = reading(content)

    assert [one.brand for one in found if isinstance(one, Offer)] == ["Adidas"]
    assert found.facts.sentences() == ["line 3: bytes that are no UTF-8 left out"]


def test_damage_in_the_middle_costs_what_it_touches_and_the_lines_stay_right() -> None:
    records = [record(attributes=f"id='{number}'") for number in range(200)]
    records[70] = records[70].replace("</name>", "</nam>")
    records[90] = records[90].replace("</offer>", "")
    records[120] = records[120].replace("<offer ", "<off ")
    found = list(reading(yml(*records, head=RUB)))

    assert [(one.line, one.offer_id) for one in found if isinstance(one, Reject)] == [(73, "70"), (93, "90"), (123, "")]
    assert len(found) == 200
    assert [one.line for one in found if isinstance(one, Offer)][-1] == 202


def test_a_feed_that_ends_in_the_middle_gives_what_stands_before_and_then_says_where() -> None:
    found = iter(reading(yml(record(), record(attributes="id='2'"), head=RUB, tail="")))

    assert [next(found).offer_id for _ in range(2)] == ["1", "2"]
    with pytest.raises(InputError, match=r"f\.xml:5: the feed ends in the middle: expected </yml_catalog>"):
        next(found)


def test_entities_of_a_document_type_are_not_read() -> None:
    laughs = '<!DOCTYPE yml_catalog [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    feed = yml(record("<vendor>&f;</vendor>"), record("<vendor>&b;</vendor>", "id='2'"), head=RUB)

    found = offers(feed.replace('<?xml version="1.0"?>', laughs))

    assert [one.brand for one in found] == ["&f;", "&b;"]


# How a feed is packed and written ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "windows-1251", "koi8-r", "utf-32"])
def test_letters_are_read_in_any_encoding(encoding: str) -> None:
    feed = yml(record("<vendor>Ёлка</vendor>"), head=RUB).replace('"1.0"', f'"1.0" encoding="{encoding}"')

    assert offers(feed.encode(encoding))[0].brand == "Ёлка"


@pytest.mark.parametrize(
    ("said", "written", "note"),
    [
        ("utf-8", "windows-1251", "its letters are cp1251, not UTF-8 as it says"),
        ("windows-1251", "utf-8", "its letters are UTF-8, not cp1251 as it says"),
    ],
)
def test_a_wrong_encoding_is_seen_by_its_letters(said: str, written: str, note: str) -> None:
    feed = yml(record("<vendor>Зелёная ёлка</vendor>"), head=RUB).replace('"1.0"', f'"1.0" encoding="{said}"')
    found = reading(feed.encode(written))

    assert [one.brand for one in found if isinstance(one, Offer)] == ["Зелёная ёлка"]
    assert found.facts.sentences() == [f"line 1: {note}"]


def test_gzip_is_unpacked_also_twice_and_in_parts() -> None:
    feed = yml(record(), head=RUB).encode()

    for packed in (
        gzip.compress(feed),
        gzip.compress(gzip.compress(feed)),
        gzip.compress(feed[:60]) + gzip.compress(feed[60:]),
    ):
        assert len(offers(packed)) == 1


def test_gzip_that_is_cut_or_damaged_says_so() -> None:
    packed = gzip.compress(yml(*(record(attributes=f"id='{n}'") for n in range(5000)), head=RUB).encode())

    with pytest.raises(InputError, match="ends in the middle of its gzip"):
        list(reading(packed[:-500]))
    with pytest.raises(InputError, match="gzip data are damaged"):
        list(reading(packed[:2000] + b"\0" * 500 + packed[2500:]))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty file"),
        (b" \n ", "empty file"),
        (b"PK\x03\x04abc", "ZIP archive"),
        (b"%PDF-1.7", "PDF"),
        (b"<!DOCTYPE html><html><body>Sign in", "web page"),
        (b"<html lang='en'>", "web page"),
        (b'{"offers": []}', "JSON"),
        (b"<note>hello</note>", r"got <note>.*--format"),
        (b"\x00\x01\x02\x03\x00\x00\x00\x00\x00", "binary"),
    ],
)
def test_what_is_no_feed_is_called_by_its_name(content: bytes, what: str) -> None:
    with pytest.raises(InputError, match=rf"^f\.xml: expected .*{what}"):
        reading(content)


# Google --------------------------------------------------------------------------------------------------------------

RSS = (
    '<?xml version="1.0"?>\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Ria</title>\n'
    "{}</channel></rss>"
)
ITEM = (
    "<item><g:id>7</g:id><g:title>Dress</g:title><g:link>https://a.example/7</g:link><g:price>450.00 CAD</g:price>"
    "<g:sale_price>400 CAD</g:sale_price>{}<g:availability>out_of_stock</g:availability><g:brand>Ria</g:brand>"
    "<g:product_type>Women &gt; Dresses</g:product_type><g:gtin>4006381333931</g:gtin><g:mpn>M1</g:mpn>"
    "<g:image_link>https://a.example/1.jpg</g:image_link><g:item_group_id>g</g:item_group_id>"
    "<g:additional_image_link>https://a.example/2.jpg,https://a.example/3.jpg</g:additional_image_link>"
    "<g:color>Red</g:color><g:product_detail><g:attribute_name>Fit</g:attribute_name>"
    "<g:attribute_value>slim</g:attribute_value></g:product_detail></item>\n"
)


def test_an_item_of_google_has_everything_that_stands_in_it() -> None:
    assert offers(RSS.format(ITEM.format(""))) == [
        Offer(
            shop="best",
            offer_id="7",
            name="Dress",
            url="https://a.example/7",
            price=Money(40000, "CAD"),
            old_price=Money(45000, "CAD"),
            available=False,
            group_id="g",
            brand="Ria",
            vendor_code="M1",
            gtin="4006381333931",
            category=("Women", "Dresses"),
            pictures=("https://a.example/1.jpg", "https://a.example/2.jpg", "https://a.example/3.jpg"),
            params=(("color", "Red"), ("Fit", "slim")),
            line=3,
        )
    ]


def test_a_sale_that_is_over_is_no_price() -> None:
    over = "<g:sale_price_effective_date>2020-01-01T00:00+0100/2020-02-01T00:00+0100</g:sale_price_effective_date>"

    assert offers(RSS.format(ITEM.format(over)))[0].price == Money(45000, "CAD")


def test_atom_is_read_like_rss() -> None:
    feed = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>Ria</title><entry>'
        '<g:id>7</g:id><title>Dress</title><link href="https://a.example/7"/><g:price>1 EUR</g:price></entry></feed>'
    )

    found = reading(feed)
    assert [(one.offer_id, one.url) for one in found if isinstance(one, Offer)] == [("7", "https://a.example/7")]
    assert found.facts.shop_name == "Ria"


# Tables --------------------------------------------------------------------------------------------------------------


def test_a_table_of_google_is_read_by_its_header() -> None:
    table = (
        "id\ttitle\tlink\tprice\tavailability\timage_link\tproduct_type\tcolor\n"
        '7\t"Boots, ""warm"""\thttps://a.example/7\t19.90 EUR\tin stock\thttps://a.example/7.jpg\tShoes > Boots\tred\n'
    )

    assert offers(table) == [
        Offer(
            shop="best",
            offer_id="7",
            name='Boots, "warm"',
            url="https://a.example/7",
            price=Money(1990, "EUR"),
            category=("Shoes", "Boots"),
            pictures=("https://a.example/7.jpg",),
            params=(("color", "red"),),
            line=2,
        )
    ]


def test_a_table_of_admitad_has_its_params_in_one_column() -> None:
    table = (
        "id;available;currencyId;name;oldprice;param;picture;price;url;vendor\n"
        "7;false;RUR;Shoe;2000;Colour:red|Size:42;https://a.example/1.jpg;1500;https://ad.example/g/x/?ulp=https%3A%2F%2Fa;Adi\n"
    )
    found = offers(table)[0]

    assert (found.price, found.old_price, found.available) == (Money(150000, "RUB"), Money(200000, "RUB"), False)
    assert (found.params, found.brand) == ((("Colour", "red"), ("Size", "42")), "Adi")
    assert found.url == "https://ad.example/g/x/?ulp=https%3A%2F%2Fa"


def test_somebody_says_which_column_is_which() -> None:
    table = 'Nr,Titel,Seite,Preis,Farbe\n7,Schuh,https://a.example/7,"19,90",rot\n'
    mapping = {"id": "Nr", "name": "Titel", "url": "Seite", "price": "preis", "param:Colour": "Farbe"}

    found = offers(table, mapping=mapping, currency="EUR")[0]

    assert (found.name, found.price, found.params) == ("Schuh", Money(1990, "EUR"), (("Colour", "rot"),))


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, r"f\.xml: expected a column for name, url, price, the table has id, Titel.*--column name=THEIRS"),
        ({"name": "Title"}, "no column 'Title'; did you mean Titel"),
        ({"title": "Titel"}, "expected one of id, name.*got 'title'"),
    ],
)
def test_a_table_whose_columns_are_not_known_says_how_to_name_them(mapping: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        offers("id,Titel\n1,x\n", mapping=mapping)


HEAD = "id,name,url,price\n"


def row(number: int, name: str = "Shoe") -> str:
    return f"{number},{name},https://a.example/{number},5 EUR\n"


def test_a_value_may_go_over_several_lines() -> None:
    found = offers(HEAD + row(1, '"two\nlines"') + row(2))

    assert [(one.line, one.name) for one in found] == [(2, "two lines"), (4, "Shoe")]


def test_a_quote_that_nobody_closes_costs_its_own_line() -> None:
    rows = [row(number) for number in range(20)]
    rows[5] = row(5, '"unclosed')
    found = list(reading(HEAD + "".join(rows)))

    assert [one.offer_id for one in found if isinstance(one, Offer)] == [str(n) for n in range(20)]
    assert [one.line for one in found] == list(range(2, 22))


def test_a_row_with_too_many_columns_is_rejected_and_one_with_too_few_is_filled() -> None:
    found = list(reading("id,name,url,price,brand\n" + "1,a,b,c,d,e\n" + row(2)))

    assert found[0] == Reject(2, "1", "expected 5 columns, got 6")
    assert isinstance(found[1], Offer)


def test_a_field_as_long_as_a_line_may_be_loses_no_row() -> None:
    found = offers(HEAD + row(1) + row(2, "Shoe " * 100_000) + row(3))

    assert [(one.line, one.offer_id) for one in found] == [(2, "1"), (3, "2"), (4, "3")]


def test_a_line_without_end_takes_no_memory() -> None:
    found = list(reading(HEAD + row(1) + "2," + "x" * 5_000_000 + "\n" + row(3)))

    assert [(one.line, one.offer_id, getattr(one, "reason", "")) for one in found] == [
        (2, "1", ""),
        (3, "2", "its line is longer than 1,000,000 bytes"),
        (4, "3", ""),
    ]


def test_letters_of_a_table_are_guessed() -> None:
    table = (HEAD + row(1, "Зелёная ёлка")).encode("cp1251")

    assert offers(table)[0].name == "Зелёная ёлка"


# Real feeds ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("name", "ids", "available"),
    [
        ("admitad_go_yml.xml", ["123", "12341"], [True, True]),
        (
            "google_rias_boutique_excerpt.xml",
            ["Burgundy-Bridal-Dress-medium-red", "Burgundy-Bridal-Dress-medium-burgundy"],
            [False, False],
        ),
        ("tfdf63_matchday_yml.xml", ["match-2", "match-3", "match-4", "match-5"], [True, True, True, True]),
    ],
)
def test_real_feeds_are_read_whole(name: str, ids: list[str], available: list[bool]) -> None:
    with (REAL / name).open("rb") as stream:
        found = list(read_feed(stream, "best", name=name))

    assert [one.offer_id for one in found] == ids
    assert [isinstance(one, Offer) and one.available for one in found] == available
