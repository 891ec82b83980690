"""`vitrina lens cashback`: terms, networks, the ledger, and one claim from its beginning to its end."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from vitrina.cli.connect import print_json, whoami
from vitrina.cli.networks import app as networks_app
from vitrina.cli.session import database_session
from vitrina.errors import InputError, VitrinaError
from vitrina.lens import ledger, terms
from vitrina.lens.cashback import Term, parse_category
from vitrina.lens.ledger import STATES, LensCashback, Wanted
from vitrina.lens.offer import Reject
from vitrina.lens.sheet import to_csv
from vitrina.lens.termfile import read_terms
from vitrina.lens.terms import TermSettings
from vitrina.lens.trace import amount_of, plain
from vitrina.lens.trace import trace as trace_of

SHOWN = 5

app = typer.Typer(
    help="What shops give back, and what became of it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
terms_app = typer.Typer(help="How much each shop gives back.", no_args_is_help=True)
app.add_typer(terms_app, name="terms")
app.add_typer(networks_app, name="networks")

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
_Replace = Annotated[
    bool, typer.Option("--replace", help="Put it in the place of what overlaps: that ends the day before.")
]


# terms -------------------------------------------------------------------------------------------------------------


@terms_app.command("list")
def list_terms(
    context: typer.Context,
    shop: Annotated[str, typer.Option(help="Only this shop.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show all terms, by shop and category.

    \b
    Examples:
      vitrina lens cashback terms list
      vitrina lens cashback terms list --shop best-shop --json
    """
    with database_session(context.obj) as session:
        found = terms.list_terms(session, shop=shop or None)
    _show_terms(found, as_json=as_json)


@terms_app.command("set")
def set_term(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's slug.")],
    percent: Annotated[str, typer.Option(help="Of the price, such as 7.5.")] = "",
    amount: Annotated[str, typer.Option(help="A fixed amount, such as 5.00, instead of a percentage.")] = "",
    category: Annotated[str, typer.Option(help="Such as 'Shoes > Boots'; without it, the whole shop.")] = "",
    cap: Annotated[str, typer.Option(help="At most this amount.")] = "",
    currency: Annotated[str, typer.Option(help="Of amount and cap; without it, the shop's.")] = "",
    hold_days: Annotated[int, typer.Option(help="Days from the order until it can be paid.")] = 30,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; today.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day; none.")] = None,
    replace: _Replace = False,
    as_json: AsJson = False,
) -> None:
    """Say what a shop gives back. The most specific category counts. Amounts are rounded down, to the price at most.

    \b
    Examples:
      vitrina lens cashback terms set best-shop --percent 5
      vitrina lens cashback terms set best-shop --category "Shoes > Boots" --percent 7.5 --cap 20 --hold-days 45
      vitrina lens cashback terms set best-shop --amount 2.50 --from 2026-11-20 --to 2026-11-30 --replace
    """
    given = TermSettings(
        shop, parse_category(category), percent, amount, cap, currency, hold_days, _day(first), _day(last)
    )
    change = terms.replace_term if replace else terms.set_term
    with database_session(context.obj) as session:
        term = change(session, given, by=whoami(), today=datetime.now(UTC).date())
    _show_terms([term], as_json=as_json)


@terms_app.command("remove")
def remove_term(
    context: typer.Context,
    term_id: Annotated[str, typer.Argument(help="Id of the term, or its last letters, as in `list`.")],
    as_json: AsJson = False,
) -> None:
    """Take a term away. Clicks that were promised it keep their promise.

    \b
    Example:
      vitrina lens cashback terms remove 3f0c9a5e
    """
    with database_session(context.obj) as session:
        term = terms.remove_term(session, term_id, by=whoami())
    _show_terms([term], as_json=as_json)


@terms_app.command("import")
def import_terms(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with a header: shop, category, rate or percent or amount, …")],
    shop: Annotated[str, typer.Option(help="The shop of every line that names none.")] = "",
    column: Annotated[list[str] | None, typer.Option(help="OURS=THEIRS, where the file has another name.")] = None,
    encoding: Annotated[str, typer.Option(help="How the file's letters are written.")] = "utf-8-sig",
    replace: _Replace = False,
    as_json: AsJson = False,
) -> None:
    """Take terms from a network's export. A line that does not fit costs that line; the others count.

    Columns: shop, category, rate (`5 %` or `2.50 EUR`) or percent or amount, cap, currency, hold_days, valid_from,
    valid_to.

    \b
    Examples:
      vitrina lens cashback terms import tariffs.csv --shop best-shop
      vitrina lens cashback terms import tariffs.csv --column category=Tariff --column rate=Payment --replace --json
    """
    lines = list(read_terms(_text(file, encoding), shop=shop, columns=_columns(column or [])))
    taken: list[Term] = []
    rejected = [(one.line, one.reason) for one in lines if isinstance(one, Reject)]
    change = terms.replace_term if replace else terms.set_term
    with database_session(context.obj) as session:
        good = [one for one in lines if not isinstance(one, Reject)]
        for line, given in track(good, "Terms", console=Console(stderr=True), disable=len(good) < 50):
            try:
                taken.append(change(session, given, by=whoami(), today=datetime.now(UTC).date()))
            except VitrinaError as error:
                rejected.append((line, str(error)))
    rejected.sort()
    if as_json:
        lines_out = [{"line": line, "reason": reason} for line, reason in rejected]
        print_json({"taken": [terms.told(term) for term in taken], "rejected": lines_out})
        return
    Console().print(f"{file}: {len(taken)} terms, {len(rejected)} lines left out", highlight=False, soft_wrap=True)
    for line, reason in rejected[:SHOWN]:
        Console(stderr=True).print(f"  line {line}: {reason}", highlight=False, markup=False, soft_wrap=True)
    if len(rejected) > SHOWN:
        Console(stderr=True).print(f"  and {len(rejected) - SHOWN} more; --json names them all")


# ledger ------------------------------------------------------------------------------------------------------------

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
        moved, kept = ledger.move_all(session, wanted, ledger.PAID, who=whoami(), why=reference.strip(), now=now)
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


def _show_terms(found: list[Term], *, as_json: bool) -> None:
    answers = [terms.told(term) for term in found]
    if as_json:
        print_json(answers)
        return
    shown = Table("id", _whole("shop"), "category", "cashback", "cap", "hold", _whole("from"), _whole("to"))
    for one in answers:
        gives = f"{one['percent']} %" if one["percent"] else f"{one['amount']} {one['currency']}"
        cap = f"{one['cap']} {one['currency']}" if one["cap"] else ""
        days = f"{one['hold_days']} days"
        shown.add_row(
            one["term_id"][-8:],
            one["shop"],
            one["category"] or "all",
            gives,
            cap,
            days,
            one["valid_from"],
            one["valid_to"] or "",
        )
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


def _columns(typed: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in typed]
    wrong = next(
        (one for one, (ours, equals, theirs) in zip(typed, pairs, strict=True) if not (ours and equals and theirs)),
        None,
    )
    if wrong is not None:
        raise InputError(f"--column: expected OURS=THEIRS such as rate=Payment, got {wrong!r}")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _text(file: Path, encoding: str) -> str:
    try:
        return file.read_text(encoding=encoding)
    except FileNotFoundError as error:
        raise InputError(f"{file}: there is no such file") from error
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(f"{file}: not readable as {encoding} ({error}). Try --encoding cp1251.") from error
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
