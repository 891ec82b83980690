"""`vitrina lens`: feeds in, photos found, cashback paid."""

from __future__ import annotations

from vitrina.cli.lazy import lazy_typer

app = lazy_typer(
    {
        "import": "vitrina.cli.imports:import_",
        "shops": "vitrina.cli.catalog_shops:shops_",
        "shop": "vitrina.cli.catalog_shops:shop_",
        "feeds": "vitrina.cli.feeds:app",
        "sync": "vitrina.cli.sync:sync",
        "find": "vitrina.cli.find:find",
        "products": "vitrina.cli.find:products",
        "evaluate": "vitrina.cli.evaluate:evaluate",
        "cashback": "vitrina.cli.cashback:app",
        "report": "vitrina.cli.lens_report:report",
    },
    name="lens",
    help="Where can I buy this, and what do I get back? Feeds, search by photo, cashback.",
    add_completion=False,
)
