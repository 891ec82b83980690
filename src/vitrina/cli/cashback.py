"""`vitrina lens cashback`: the ledger, and one claim from its beginning to its end; terms and networks beside it."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from vitrina.cli.connect import print_json, whoami
from vitrina.cli.networks import app as networks_app
from vitrina.cli.session import database_session
from vitrina.cli.terms import app as terms_app
from vitrina.errors import InputError
from vitrina.lens import booking, ledger
from vitrina.lens.ledger import STATES, LensCashback, Wanted
from vitrina.lens.sheet import to_csv
from vitrina.lens.trace import amount_of, plain
from vitrina.lens.trace import trace as trace_of

app = typer.Typer(
    help="What shops give back, and what became of it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
app.add_typer(terms_app, name="terms")
app.add_typer(networks_app, name="networks")

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


SHEET = (
    *("cashback_id", "ordered_at", "shop", "network", "order_id", "action", "state", "order", "commission", "cashback"),
    *("currency", "payable_on", "click_id", "sub_id", "wallet"),
)


@app.command("ledger")
def show_ledger(
    context: typer.Context,
    state: Annotated[str, typer.Option(help=f"Only one of {', '.join(STATES)}.")] = "",
    shop: Annotated[str, typer.Option(help="Only this shop.")] = "",
    network: Annotated[str, typer.Option(help="Only this network.")] = "",
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC).")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day (UTC).")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the answer as CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every order that networks reported, and where its cashback stands; the newest first.

    \b
    Examples:
      vitrina lens cashback ledger --state approved
      vitrina lens cashback ledger --from 2026-11-01 --to 2026-11-30 --csv > november.csv
    """
    if as_csv and as_json:
        raise InputError("--json and --csv: choose one of them")
    if state and state not in STATES:
        raise InputError(f"--state: expected one of {', '.join(STATES)}, got {state!r}")
    with database_session(context.obj) as session:
        found = ledger.list_cashback(session, Wanted(state, shop, network, _day(first), _day(last)))
    _show_ledger(found, as_csv=as_csv, as_json=as_json)


@app.command()
def trace(
    context: typer.Context,
    sub_id: Annotated[str, typer.Argument(help="The sub-id of a link, which is the click's id.")],
    as_json: AsJson = False,
) -> None:
    """Follow one claim: search, click, order, cashback, payout.

    \b
    Examples:
      vitrina lens cashback trace 0190a5c0-1111-7000-8000-000000000001
      vitrina lens cashback trace 0190a5c0-1111-7000-8000-000000000001 --json
    """
    from vitrina.cli.lake import open_lake

    with database_session(context.obj) as session:
        found = trace_of(session, open_lake(context.obj), sub_id)
    if as_json:
        print_json(plain(found))
        return
    for line in trace_lines(found):
        Console().print(line, highlight=False, markup=False, soft_wrap=True)


@app.command()
def pay(
    context: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Cashback ids as in `ledger`; without any, all payable.")
    ] = None,
    reference: Annotated[str, typer.Option(help="What the payment is known by, such as a transfer's number.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what can be paid.")] = False,
    as_json: AsJson = False,
) -> None:
    """Note that approved cashback was paid: what belongs to a wallet and was held long enough.

    \b
    Examples:
      vitrina lens cashback pay --dry-run
      vitrina lens cashback pay --reference "transfer 2026-117"
    """
    now = datetime.now(UTC)
    if not dry_run and not reference.strip():
        raise InputError("--reference: expected what the payment is known by, such as 'transfer 2026-117'")
    with database_session(context.obj) as session:
        due = ledger.payable(session, now.date())
        if dry_run:
            _show_ledger(due, as_csv=False, as_json=as_json)
            return
        wanted = ids or [row.cashback_id for row in due]
        moved, kept = booking.move_all(session, wanted, ledger.PAID, who=whoami(), why=reference.strip(), now=now)
    if as_json:
        print_json({"paid": moved, "kept": kept})
    else:
        Console().print(f"{moved} paid", highlight=False)
        for reason in kept:
            Console(stderr=True).print(f"  {reason}", highlight=False, markup=False)
    if kept:
        raise typer.Exit(1)


def told(row: LensCashback) -> dict[str, Any]:
    """One order for people and programs; the wallet by its first letters."""
    return {
        "cashback_id": row.cashback_id,
        "ordered_at": row.ordered_at,
        "shop": row.shop,
        "network": row.network,
        "order_id": row.order_id,
        "action": row.action,
        "state": row.state,
        "order": _major(row.order_minor, row.currency),
        "commission": _major(row.commission_minor, row.currency),
        "cashback": _major(row.cashback_minor, row.currency),
        "currency": row.currency,
        "payable_on": row.payable_on,
        "click_id": row.click_id,
        "sub_id": row.sub_id,
        "wallet": row.wallet[:8] if row.wallet else None,
    }


def trace_lines(found: dict[str, Any]) -> list[str]:
    """The steps of a claim, one a line."""
    lines = []
    search, click = found["search"], found["click"]
    if search:
        lines.append(f"search   {_moment(search['at'])}  {search['outcome'] or 'not in the lake any more'}")
    if click:
        promised = click["promised"] or "nothing"
        lines.append(
            f"click    {_moment(click['at'])}  {click['name']} at {click['shop']} for {click['price']}, "
            f"{promised} promised; to {click['host']} by {click['network']}; wallet {click['wallet'] or 'none'}"
        )
    for order in found["orders"]:
        lines.append(f"order    {order['order_id']} by {order['network']}, {order['order'] or 'amount unknown'}")
        for step in order["movements"]:
            name = "payout" if step["after"] == ledger.PAID else "cashback"
            what = f"{step['after']} {step['cashback'] or ''}".strip()
            lines.append(f"{name:<8} {_moment(step['at'])}  {what}, {step['who']}: {step['why']}")
    if found["missing"]:
        lines.append(f"missing  {_moment(found['missing']['at'])}  {found['missing']['state']}")
    return lines


def _show_ledger(rows: list[LensCashback], *, as_csv: bool, as_json: bool) -> None:
    answers = [told(row) for row in rows]
    if as_json:
        print_json(plain(answers))
    elif as_csv:
        sys.stdout.write(to_csv(SHEET, ([answer[name] for name in SHEET] for answer in answers)))
    else:
        shown = Table(
            "ordered (UTC)", _whole("shop"), _whole("order"), "state", "cashback", "payable", _whole("sub-id")
        )
        for row in rows:
            amount = amount_of(row.cashback_minor, row.currency) or ""
            cells = (row.shop, row.order_id, row.state, amount, str(row.payable_on), row.sub_id)
            shown.add_row(_moment(row.ordered_at), *cells)
        Console().print(shown)


def _whole(heading: str) -> Column:
    """Folded where it does not fit: half of an id or a slug is of no use."""
    return Column(heading, overflow="fold")


def _major(minor: int | None, currency: str) -> str | None:
    amount = amount_of(minor, currency)
    return amount.partition(" ")[0] if amount else None


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else " " * 16


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
