"""`vitrina floor`: the commands of the part, each in a module of its own."""

from __future__ import annotations

from vitrina.cli.lazy import lazy_typer

app = lazy_typer(
    {
        "watch": "vitrina.cli.watch:watch",
        "check": "vitrina.cli.check:check",
        "report": "vitrina.cli.report:report",
        "count": "vitrina.cli.video:count",
        "track": "vitrina.cli.video:track",
        "overlay": "vitrina.cli.video:overlay",
        "calibrate": "vitrina.cli.calibrate:calibrate",
        "shop": "vitrina.cli.shop:app",
        "camera": "vitrina.cli.camera:app",
        "receipts": "vitrina.cli.receipts:app",
        "simulate": "vitrina.cli.simulate:simulate",
    },
    help="What happens in the shop.",
    add_completion=False,
)
