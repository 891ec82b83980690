"""What one says about a feed on the command line, in `lens import` and in `lens feeds add`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vitrina.errors import InputError, NotFoundError
from vitrina.lens import shops
from vitrina.lens.address import is_address
from vitrina.lens.shops import FORMATS, FeedSettings

ShopName = Annotated[str, typer.Option("--shop", help="The shop's slug or name; it is made when it is new.")]
Format = Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}; auto looks at the beginning.")]
Full = Annotated[
    bool,
    typer.Option("--full/--partial", help="Whether an offer that the feed leaves out is gone, or stays as it is."),
]
AllowFiles = Annotated[
    bool, typer.Option("--allow-files", help="A picture may be the path of a file in the feed's folder.")
]
AllowPrivate = Annotated[bool, typer.Option("--allow-private", help="The feed's address may be in a network of yours.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(help="OURS=THEIRS for tables, such as name=Title; param:Colour=Farbe takes a parameter."),
]
Currency = Annotated[str, typer.Option(help="Currency of prices that name none, such as EUR.")]


def feed_typed(
    source: str, form: str, full: bool, columns: list[str] | None, *, allow_files: bool, allow_private: bool
) -> FeedSettings:
    """What was typed, of a feed that is imported by hand."""
    return FeedSettings(
        source=source if is_address(source) else str(Path(source).absolute()),
        format=form,
        mode="full" if full else "partial",
        mapping=_mapping(columns or []),
        allow_private=allow_private,
        allow_files=allow_files,
    )


def _mapping(typed: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in typed]
    wrong = next((ours for ours, equals, theirs in pairs if not (ours and equals and theirs)), None)
    if wrong is not None:
        raise InputError(f"--column: expected OURS=THEIRS such as name=Title, got {wrong!r}")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def slug_typed(session: Any, shop: str) -> str:
    return shop if is_shop(session, shop) else shops.slug_of(shop)


def is_shop(session: Any, slug: str) -> bool:
    try:
        shops.find_shop(session, slug)
    except NotFoundError:
        return False
    return True


def name_typed(shop: str, slug: str) -> str | None:
    """What was typed, where it is more than the slug."""
    return shop if shop != slug else None
