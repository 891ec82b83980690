"""Feeds as the simulated shops write them: two formats and a table, with mistakes that real feeds have. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from vitrina.lens.demo.assortment import CURRENCY, DemoShop, Listing

NOTE = "Simulated by vitrina demo: nobody sells these products."
BROKEN = "pictures/error.jpg"
"""No picture but a page that says so, as servers send in a picture's place."""

EVERY = 37
"""One offer in so many has a mistake, each time another one."""


def feed_text(shop: DemoShop, listed: Sequence[Listing]) -> str:
    return _FORMS[shop.form](shop, listed)


def file_name(shop: DemoShop) -> str:
    return {"yml": "feed.yml", "google": "feed.xml", "tsv": "feed.tsv"}[shop.form]


def _mistake(number: int, kinds: int) -> int:
    """0: none, else which of so many."""
    return (number // EVERY) % kinds + 1 if number % EVERY == EVERY - 1 else 0


# ── YML ─────────────────────────────────────────────────────────────────────────────────────────


def _yml(shop: DemoShop, listed: Sequence[Listing]) -> str:
    categories = sorted({one.design.of.category[:depth] for one in listed for depth in (1, 2)})
    ids = {path: number for number, path in enumerate(categories, 1)}
    tree = "\n".join(
        f'<category id="{ids[path]}"'
        + (f' parentId="{ids[path[:1]]}"' if len(path) > 1 else "")
        + f">{path[-1]}</category>"
        for path in categories
    )
    offers = "\n".join(_yml_offer(one, ids, number) for number, one in enumerate(listed))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {NOTE} -->\n'
        '<yml_catalog date="2026-11-20T04:10:00+02:00">\n<shop>\n'
        f"<name>{shop.name}</name><company>{shop.name}</company><url>{shop.site}</url>\n"
        f'<currencies><currency id="{CURRENCY}" rate="1"/></currencies>\n<categories>\n{tree}\n</categories>\n'
        f"<offers>\n{offers}\n</offers>\n</shop>\n</yml_catalog>\n"
    )


def _yml_offer(one: Listing, ids: dict[tuple[str, ...], int], number: int) -> str:
    wrong = _mistake(number, 9)
    design, shop = one.design, one.shop
    said = "true" if one.available else "false"
    colour = f"{design.main.title()} (Pre-order)" if wrong == 1 else design.main.title()
    lines = [
        f'<offer id="{"" if wrong == 2 else one.offer_id}" available="{said}">',
        f"<name>{_name(one)}</name>" if wrong != 3 else f"<name>{_name(one)} & more</name>",
        f"<url>{_page(one)}</url>",
        {4: "", 5: "<price>0</price>"}.get(wrong, f"<price>{_amount(one.price_minor, comma=wrong == 6)}</price>"),
        f"<oldprice>{_amount(one.old_price_minor)}</oldprice>" if one.old_price_minor else "",
        f"<currencyId>{CURRENCY}</currencyId><categoryId>{ids[design.of.category]}</categoryId>",
        f"<picture>{BROKEN if wrong == 7 else one.picture}</picture>",
        f"<vendor>{design.brand}</vendor>" if shop.knows_brand else "",
        f"<vendorCode>{design.vendor_code}</vendorCode>" if shop.knows_code else "",
        f"<barcode>{one.gtin[:-1] + '0' if wrong == 8 else one.gtin}</barcode>" if one.gtin else "",
        f'<param name="Colour">{colour}</param>',
        *(f'<param name="Size">{size}</param>' for size in one.sizes),
        f"<description><![CDATA[<p>{NOTE}</p>]]></description>",
        "" if wrong == 9 else "</offer>",
    ]
    return "".join(lines)


# ── Google ──────────────────────────────────────────────────────────────────────────────────────


def _google(shop: DemoShop, listed: Sequence[Listing]) -> str:
    items = "\n".join(_item(one, number) for number, one in enumerate(listed))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>\n'
        f"<title>{shop.name}</title><link>{shop.site}</link><description>{NOTE}</description>\n{items}\n</channel></rss>\n"
    )


def _item(one: Listing, number: int) -> str:
    wrong = _mistake(number, 6)
    design = one.design
    stock = {1: "out_of_stock", 2: "preorder"}.get(wrong, "in_stock" if one.available else "out of stock")
    price = {3: "", 4: f"{CURRENCY} {_amount(one.price_minor, comma=True)}"}.get(
        wrong, f"{_amount(one.price_minor)} {CURRENCY}"
    )
    old = one.old_price_minor
    fields = {
        "id": one.offer_id,
        "title": _name(one),
        "link": "" if wrong == 5 else _page(one),
        "image_link": one.picture,
        "availability": stock,
        "price": f"{_amount(old)} {CURRENCY}" if old else price,
        "sale_price": price if old else "",
        "brand": design.brand,
        "mpn": design.vendor_code,
        "gtin": one.gtin[:-1] if wrong == 6 else one.gtin,
        "item_group_id": one.group_id,
        "color": design.main,
        "size": one.size,
        "product_type": escape(" > ".join(design.of.category)),
        "condition": "new",
    }
    return "<item>" + "".join(f"<g:{name}>{value}</g:{name}>" for name, value in fields.items() if value) + "</item>"


def _tsv(_shop: DemoShop, listed: Sequence[Listing]) -> str:
    columns = (
        "id",
        "title",
        "link",
        "image_link",
        "availability",
        "price",
        "brand",
        "mpn",
        "color",
        "size",
        "product_type",
    )
    return "\t".join(columns) + "\n" + "".join("\t".join(row) + "\n" for row in _rows(listed))


def _rows(listed: Sequence[Listing]) -> Iterator[list[str]]:
    for number, one in enumerate(listed):
        wrong = _mistake(number, 4)
        row = [
            one.offer_id,
            _name(one),
            _page(one),
            one.picture,
            "in stock" if one.available else "sold out",
            {1: "on request", 2: f"{_amount(one.price_minor)}"}.get(wrong, f"{_amount(one.price_minor)} {CURRENCY}"),
            one.design.brand,
            one.design.vendor_code,
            one.design.main,
            "/".join(one.sizes),
            " > ".join(one.design.of.category),
        ]
        yield row[:4] if wrong == 3 else [*row, "left over"] if wrong == 4 else row


_FORMS: dict[str, Callable[[DemoShop, Sequence[Listing]], str]] = {"yml": _yml, "google": _google, "tsv": _tsv}


def _name(one: Listing) -> str:
    name = one.design.name if not one.shop.knows_brand else f"{one.design.brand} {one.design.name}"
    return f"{name}, {one.size}" if one.size else name


def _page(one: Listing) -> str:
    return f"{one.shop.site}/p/{one.offer_id.lower()}"


def _amount(minor: int | None, *, comma: bool = False) -> str:
    text = f"{(minor or 0) / 100:.2f}"
    return text.replace(".", ",") if comma else text
