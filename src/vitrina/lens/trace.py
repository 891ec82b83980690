"""One claim from its beginning to its end: search → click → order → cashback → payout."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from vitrina.errors import NotFoundError
from vitrina.lens import ledger
from vitrina.lens.clicks import LensClick, find_click
from vitrina.lens.lakestore import LENS_SEARCHES
from vitrina.lens.ledger import LensCashback, LensMovement
from vitrina.lens.missing import LensMissing
from vitrina.product import Money
from vitrina.storage.lake import Lake


def trace(session: Session, lake: Lake, sub_id: str) -> dict[str, Any]:
    """Everything that is known of a sub-id. Raises NotFoundError when neither a click nor an order has it."""
    click = find_click(session, sub_id)
    orders = ledger.of_sub_id(session, sub_id)
    if click is None and not orders:
        raise NotFoundError(f"there is no click and no order with sub-id {sub_id!r}")
    moves = ledger.movements(session, [order.cashback_id for order in orders])
    missing = session.get(LensMissing, click.click_id) if click else None
    return {
        "sub_id": sub_id,
        "search": _search(lake, click) if click and click.search_id else None,
        "click": _click(click) if click else None,
        "missing": _missing(missing) if missing else None,
        "orders": [_order(order, [one for one in moves if one.cashback_id == order.cashback_id]) for order in orders],
    }


def _search(lake: Lake, click: LensClick) -> dict[str, Any]:
    """From the lake, where searches are forgotten before clicks that led to an order."""
    table = lake.expr(LENS_SEARCHES.name)
    rows = table.filter(table.search_id == click.search_id).to_pyarrow().to_pylist()
    found: dict[str, Any] = {"search_id": click.search_id, "at": None, "outcome": None, "shops": None}
    if rows:
        shops = sorted({row["shop_id"] for row in rows if row["shop_id"]})
        at = rows[0]["t"].astimezone(UTC)
        found |= {"at": at, "outcome": rows[0]["outcome"], "channel": rows[0]["channel"], "shops": shops}
    return found


def _click(click: LensClick) -> dict[str, Any]:
    return {
        "click_id": click.click_id,
        "at": click.t,
        "shop": click.shop,
        "offer_id": click.offer_id,
        "name": click.name,
        "price": amount_of(click.price_minor, click.currency),
        "promised": amount_of(click.cashback_minor, click.currency),
        "promise": click.promise,
        "network": click.network,
        "host": click.host,
        "wallet": click.wallet[:8] if click.wallet else None,
    }


def _missing(row: LensMissing) -> dict[str, Any]:
    return {"at": row.at, "order_id": row.order_id, "note": row.note, "state": row.state, "answer": row.answer}


def _order(row: LensCashback, moves: list[LensMovement]) -> dict[str, Any]:
    return {
        "cashback_id": row.cashback_id,
        "network": row.network,
        "order_id": row.order_id,
        "action": row.action,
        "state": row.state,
        "order": amount_of(row.order_minor, row.currency),
        "commission": amount_of(row.commission_minor, row.currency),
        "cashback": amount_of(row.cashback_minor, row.currency),
        "payable_on": row.payable_on,
        "movements": [
            {
                "at": one.at,
                "who": one.who,
                "before": one.before,
                "after": one.after,
                "cashback": amount_of(one.cashback_minor, one.currency),
                "why": one.why,
            }
            for one in moves
        ],
    }


def amount_of(minor: int | None, currency: str) -> str | None:
    """`4990`, `EUR` → `49.90 EUR`; None where nothing is known."""
    return None if minor is None or not currency else f"{Money(minor, currency).major} {currency}"


def plain(value: Any) -> Any:
    """Days and times as text, for JSON."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
