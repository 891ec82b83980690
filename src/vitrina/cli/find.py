"""`vitrina lens find` and `vitrina lens products`: search by photo or words; which offers are one product."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from vitrina.cli.connect import AsJson, print_json, whoami
from vitrina.cli.session import database_session
from vitrina.errors import InputError, NotFoundError
from vitrina.lens import decisions, store
from vitrina.lens import found as telling
from vitrina.lens.catalog import Catalog
from vitrina.lens.found import BoxFractions, Found, FoundProduct
from vitrina.lens.product import refresh_products
from vitrina.lens.rank import Wishes
from vitrina.product import Money
from vitrina.settings import Settings
from vitrina.storage.database import Database

SHOWN_OFFERS = 3


def find(
    context: typer.Context,
    photo: Annotated[Path | None, typer.Argument(help="The photo; left out, words alone are searched.")] = None,
    box: Annotated[str, typer.Option(help="What is meant: x1,y1,x2,y2 in pixels of the upright photo.")] = "",
    text: Annotated[str, typer.Option(help='Words that narrow it, such as "in red".')] = "",
    max_price: Annotated[str, typer.Option(help="At most so much, such as 80EUR.")] = "",
    shop: Annotated[list[str] | None, typer.Option(help="Only this shop; may be repeated.")] = None,
    brand: Annotated[list[str] | None, typer.Option(help="Only this brand; may be repeated.")] = None,
    in_stock: Annotated[bool, typer.Option("--in-stock", help="Only what a shop has in stock.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100, help="So many exact and so many similar ones.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find where to buy what a photo shows: the same product apart from similar ones, with cashback.

    \b
    Examples:
      vitrina lens find sneakers.jpg
      vitrina lens find street.jpg --box 410,620,690,810 --text "in red" --max-price 80EUR
      vitrina lens find --text "leather bag" --in-stock --json
    """
    settings: Settings = context.obj
    content = _read(photo) if photo else None
    wishes = Wishes(
        shops=tuple(shop or ()), brands=tuple(brand or ()), max_price=_money(max_price), in_stock_only=in_stock
    )
    database = Database(settings.database)
    try:
        database.migrate()
        fractions = _fractions(box, content) if box else None
        found = Catalog(settings, database).find(content, box=fractions, text=text, where=wishes, limit=limit)
    finally:
        database.dispose()
    if as_json:
        print_json(telling.as_json(found))
    else:
        _show(found)


def products(
    context: typer.Context,
    merged: Annotated[bool, typer.Option("--merged", help="Only products of several offers.")] = False,
    split: Annotated[
        list[str] | None, typer.Option(help="SHOP/OFFER: make this offer a product of its own; may be repeated.")
    ] = None,
    join: Annotated[str, typer.Option(help="SHOP/OFFER=SHOP/OFFER: these two are the same product.")] = "",
    undo: Annotated[str, typer.Option(help="SHOP/OFFER: let the rules decide again.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="So many products.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List products with why their offers are one; take an offer out of a product, or join two, for good.

    \b
    Examples:
      vitrina lens products --merged
      vitrina lens products --split best-shop/A-17
      vitrina lens products --join best-shop/A-17=other-shop/99 --json
    """
    settings: Settings = context.obj
    if split or join or undo:
        _decide(settings, split or [], join, undo)
    path = settings.lens / "catalog.db"
    if not path.exists():
        raise NotFoundError("there is no catalog yet: vitrina lens import FEED --shop NAME")
    with closing(store.open_catalog(path)) as catalog:
        with database_session(settings) as session:
            refresh_products(catalog, decisions.load_decisions(session))
        rows = catalog.execute(
            "SELECT product_id, reason, count(*) AS offers, min(name) AS name,"
            " group_concat(shop || '/' || offer_id, ', ') AS refs"
            " FROM products JOIN offers USING(offer_key) WHERE gone_at IS NULL GROUP BY product_id"
            " HAVING count(*) > ? ORDER BY count(*) DESC, product_id LIMIT ?",
            (1 if merged else 0, limit),
        ).fetchall()
    if as_json:
        print_json([dict(row) for row in rows])
        return
    table = Table(Column("product", no_wrap=True), "name", "offers", "why they are one", "shop/offer", box=None)
    for row in rows:
        table.add_row(row["product_id"], row["name"], str(row["offers"]), row["reason"], row["refs"])
    Console().print(table)


def _show(found: Found) -> None:
    console = Console()
    if found.nothing_alike:
        console.print("Nothing alike was found. Try a tighter --box, other words, or another photo.")
        return
    for title, products_ in (("The same product", found.exact), ("Similar", found.similar)):
        if products_:
            console.print(_table(title, products_))
    console.print(f"{found.cpu_ms:.0f} ms of processor time", style="dim", highlight=False)


def _table(title: str, products_: Sequence[FoundProduct]) -> Table:
    table = Table(
        "product", "shop", "price", "cashback", "after", "likeness", "why one", title=title, title_justify="left"
    )
    for one in products_:
        for number, offer in enumerate(one.offers[:SHOWN_OFFERS]):
            first = number == 0
            name = f"{one.name} ({one.brand})" if one.brand and one.brand.lower() not in one.name.lower() else one.name
            table.add_row(
                name if first else "",
                offer.shop_name + ("" if offer.available else " (not in stock)"),
                offer.price.format("en"),
                offer.cashback.format("en") if offer.cashback else "–",
                offer.after.format("en"),
                f"{one.likeness:.0%}" if first else "",
                one.why if first else "",
            )
        if len(one.offers) > SHOWN_OFFERS:
            table.add_row("", f"and {len(one.offers) - SHOWN_OFFERS} more offers")
    return table


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read it: {error.strerror}") from error


def _money(text: str) -> Money | None:
    """`80EUR` or `80 EUR`."""
    if not text:
        return None
    amount, currency = text.strip()[:-3].strip(), text.strip()[-3:].upper()
    if not amount or not currency.isalpha():
        raise InputError(f"--max-price: expected an amount with its currency, such as 80EUR, got {text!r}")
    return Money.parse(amount, currency)


def _fractions(text: str, content: bytes | None) -> BoxFractions:
    from vitrina.lens.photo import read_photo

    if content is None:
        raise InputError("--box: expected a photo that it lies on")
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--box: expected x1,y1,x2,y2 in pixels, got {text!r}") from error
    height, width = read_photo(content, longest_px=100_000).shape[:2]
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise InputError(f"--box: expected a box inside the photo of {width}×{height} pixels, got {text}")
    return left / width, top / height, right / width, bottom / height


def _decide(settings: Settings, split: Sequence[str], join: str, undo: str) -> None:
    with database_session(settings) as session:
        for one in split:
            decisions.keep_apart(session, _ref(one), by=whoami())
        if join:
            first, equals, second = join.partition("=")
            if not equals:
                raise InputError(f"--join: expected SHOP/OFFER=SHOP/OFFER, got {join!r}")
            decisions.keep_together(session, _ref(first), _ref(second), by=whoami())
        if undo:
            decisions.forget(session, _ref(undo), by=whoami())


def _ref(text: str) -> tuple[str, str]:
    shop, slash, offer = text.partition("/")
    if not (shop and slash and offer):
        raise InputError(f"expected SHOP/OFFER, such as best-shop/A-17, got {text!r}")
    return shop, offer
