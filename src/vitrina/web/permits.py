"""Who may see a camera's real picture now. The audit log is the switch: what is not in it does not hold.

Two things are needed beside the role: an engineer has the shop in set-up, and this person gave a reason a short while
ago. Both end by themselves.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from vitrina.errors import DeniedError, InputError
from vitrina.storage import audit
from vitrina.storage.accounts import SignedIn
from vitrina.storage.database import Database

SET_UP, LOOK = "live.setup", "live.look"
SET_UP_FOR = timedelta(hours=24)
LOOK_FOR = timedelta(minutes=10)
SHORTEST_REASON, LONGEST_REASON = 8, 200


def set_up_until(database: Database, shop: str, *, now: datetime) -> datetime | None:
    """Until when real pictures of this shop may be seen by who may; None when it is not in set-up."""
    with database.reading() as session:
        return _still(audit.newest(session, SET_UP, _shop(shop)), now)


def switch_set_up(database: Database, who: SignedIn, shop: str, *, on: bool, now: datetime) -> None:
    who.rights.require("camera.edit", shop)
    until = (now + SET_UP_FOR).isoformat() if on else None
    with database.session() as session:
        audit.record(session, who.person_id, SET_UP, _shop(shop), after={"until": until})


def look_until(database: Database, who: SignedIn, shop: str, camera: str, *, now: datetime) -> datetime | None:
    """Until when this person may see this camera's real picture; None when they may not now."""
    if not who.rights.may("camera.view", shop):
        return None
    with database.reading() as session:
        set_up = _still(audit.newest(session, SET_UP, _shop(shop)), now)
        look = _still(audit.newest(session, LOOK, _camera(shop, camera), who=who.person_id), now)
    return min(set_up, look) if set_up and look else None


def ask_to_look(database: Database, who: SignedIn, shop: str, camera: str, *, reason: str, now: datetime) -> None:
    """Raises DeniedError without the role or outside of set-up, InputError without a reason."""
    who.rights.require("camera.view", shop)
    reason = " ".join(reason.split())
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise InputError(
            f"reason: expected {SHORTEST_REASON} to {LONGEST_REASON} letters that say what the picture is needed for, "
            f"got {len(reason)}"
        )
    if set_up_until(database, shop, now=now) is None:
        raise DeniedError(f"shop {shop} is not in set-up: an engineer switches it on first, on this page")
    with database.session() as session:
        after = {"reason": reason, "until": (now + LOOK_FOR).isoformat()}
        audit.record(session, who.person_id, LOOK, _camera(shop, camera), after=after)


def stop_looking(database: Database, who: SignedIn, shop: str, camera: str) -> None:
    """Before the time is over."""
    with database.session() as session:
        audit.record(session, who.person_id, LOOK, _camera(shop, camera), after={"until": None})


def _still(entry: audit.AuditEntry | None, now: datetime) -> datetime | None:
    text = (entry.after or {}).get("until") if entry else None
    until = datetime.fromisoformat(text).astimezone(UTC) if text else None
    return until if until and now < until else None


def _shop(shop: str) -> str:
    return f"shop:{shop}"


def _camera(shop: str, camera: str) -> str:
    return f"camera:{shop}/{camera}"
