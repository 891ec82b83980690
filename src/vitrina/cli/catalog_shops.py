"""`vitrina lens shops` and `shop`: the shops of the catalog, and what it has of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from vitrina.cli.connect import AsJson, print_json, whoami
from vitrina.cli.imports import open_catalog
from vitrina.cli.session import database_session
from vitrina.lens import census, shops
from vitrina.lens.shops import LensShop
from vitrina.settings import Settings


def shops_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the shops with how many offers and pictures the catalog has of them.

    \b
    Example:
      vitrina lens shops --json
    """
    settings: Settings = context.obj
    with database_session(settings) as session:
        rows = shops.list_shops(session)
    counts = _counts(settings)
    if as_json:
        print_json([_shop(row, counts) for row in rows])
        return
    shown = Table(Column("shop", no_wrap=True), "name", "currency", "to", "network", "offers", "gone", "pictures")
    for row in rows:
        told = _shop(row, counts)
        pictures = told["pictures"]
        shown.add_row(
            row.slug if row.active else f"{row.slug} (off)",
            row.name,
            row.currency,
            ", ".join(row.countries),
            row.network,
            f"{told['offers']:,}",
            f"{told['gone']:,}",
            f"{sum(pictures.values()):,}" + (f" ({failed:,} failed)" if (failed := pictures.get("failed", 0)) else ""),
        )
    Console().print(shown)


def shop_(
    context: typer.Context,
    slug: Annotated[str, typer.Argument(help="The shop's slug: small letters, digits, hyphens.")],
    name: Annotated[str | None, typer.Option(help="The shop's name, as shoppers know it.")] = None,
    currency: Annotated[str | None, typer.Option(help="Currency of prices that name none, such as EUR.")] = None,
    country: Annotated[
        list[str] | None, typer.Option(help="Country it delivers to, such as DE; may be repeated.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="Network that pays its cashback, such as admitad.")] = None,
    active: Annotated[bool | None, typer.Option("--on/--off", help="Whether its feeds are imported.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a shop, or change what is said about it.

    \b
    Examples:
      vitrina lens shop best-shop --name "Best Shop" --currency EUR --country DE --country AT
      vitrina lens shop best-shop --network admitad
    """
    with database_session(context.obj) as session:
        row = shops.save_shop(
            session,
            slug,
            by=whoami(),
            name=name,
            currency=currency,
            countries=country,
            network=network,
            active=active,
        )
    if as_json:
        print_json(_shop(row, _counts(context.obj)))
    else:
        Console().print(f"{row.slug}: {row.name}, {row.currency}", highlight=False, markup=False)


def _counts(settings: Settings) -> dict[str, census.ShopCount]:
    with open_catalog(settings) as catalog:
        return census.by_shop(catalog)


def _shop(row: LensShop, counts: dict[str, census.ShopCount]) -> dict[str, Any]:
    count = counts.get(row.slug, census.ShopCount(0, 0, {}))
    told = ("slug", "name", "currency", "countries", "network", "active")
    return {key: getattr(row, key) for key in told} | asdict(count)
