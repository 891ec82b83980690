"""People and their roles: who is here, inviting, granting, switching off. Directors look after their sellers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import segno
from fastapi import APIRouter, Depends, Form, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from vitrina.errors import ConflictError, DeniedError, NotFoundError
from vitrina.storage import accounts, directory
from vitrina.storage.accounts import Person, SignedIn
from vitrina.storage.rights import ALL_SHOPS, ROLES
from vitrina.web.auth import Who, check_form
from vitrina.web.render import render
from vitrina.web.shops import shop_names
from vitrina.web.site import Site, TheSite

router = APIRouter(prefix="/people", dependencies=[Depends(check_form)], include_in_schema=False)

Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was made just now, shown this once. QR: scanned with the phone of the person it is for."""

    url: str
    hours: int
    for_whom: str = ""

    @property
    def qr(self) -> Markup:
        drawn = segno.make(self.url, error="m").svg_inline(scale=4, border=0, omitsize=True, svgclass=None)
        return Markup(drawn)  # noqa: S704  (drawn by segno from our own address)


@dataclass(frozen=True, slots=True)
class Row:
    """One person as the page shows them. roles: those that this visitor may see; the flag: may take it away.

    in_charge: this visitor may make a link to sign in for them, and switch them off.
    """

    person: Person
    in_charge: bool
    roles: list[tuple[str, str, bool]] = field(default_factory=list)


@router.get("")
def people(request: Request, site: TheSite, who: Who) -> Response:
    return _people(request, site, who)


@router.post("/invitations")
def invite(request: Request, site: TheSite, who: Who, role: Text, shop: Text = ALL_SHOPS) -> Response:
    _require_grant(who, role, shop)
    hours = site.settings.invitation_hours
    _check_shop(site, shop)
    with site.database.session() as session:
        token = accounts.invite(session, role=role, shop=_or_none(shop), hours=hours, by=who.person_id)
    return _people(request, site, who, Link(f"{site.settings.base_url}/invitations/{token}", hours))


@router.post("/{person_id}/roles")
def grant(site: TheSite, who: Who, person_id: str, role: Text, shop: Text = ALL_SHOPS) -> Response:
    _require_grant(who, role, shop)
    _check_shop(site, shop)
    with site.database.session() as session:
        _require_seen(who, accounts.get_person(session, person_id))
        accounts.grant(session, person_id, role, shop=_or_none(shop), by=who.person_id)
    return _back()


@router.post("/{person_id}/roles/revoke")
def revoke(site: TheSite, who: Who, person_id: str, role: Text, shop: Text) -> Response:
    _require_grant(who, role, shop)
    if person_id == who.person_id:
        raise ConflictError("nobody takes a role from themselves: somebody must be left who can give it back")
    with site.database.session() as session:
        accounts.revoke(session, person_id, role, shop=_or_none(shop), by=who.person_id)
    return _back()


@router.post("/{person_id}/link")
def sign_in_link(request: Request, site: TheSite, who: Who, person_id: str) -> Response:
    """For somebody who lost their password."""
    who.rights.require("people.edit")
    hours = site.settings.invitation_hours
    with site.database.session() as session:
        person = accounts.get_person(session, person_id)
        _require_charge(who, person)
        token = accounts.sign_in_link(session, person_id, hours=hours, by=who.person_id)
    return _people(request, site, who, Link(f"{site.settings.base_url}/links/{token}", hours, person.name))


@router.post("/{person_id}/disable")
def disable(site: TheSite, who: Who, person_id: str) -> Response:
    who.rights.require("people.edit")
    if person_id == who.person_id:
        raise ConflictError("nobody switches off their own account; ask another administrator")
    with site.database.session() as session:
        _require_charge(who, accounts.get_person(session, person_id))
        accounts.disable_person(session, person_id, by=who.person_id)
    return _back()


def _people(request: Request, site: Site, who: SignedIn, link: Link | None = None) -> Response:
    visible = who.rights.shops("people.view")
    if visible == frozenset():
        raise NotFoundError("there is nothing at this address")
    with site.database.reading() as session:
        rows = [_row(person, who) for person in directory.people(session)]
    names = shop_names(site)
    places = [ALL_SHOPS, *names] if visible is None else sorted(visible)
    context: dict[str, Any] = {
        "rows": [row for row in rows if row.roles or visible is None],
        "shop_names": names,
        "places": places,
        "grantable": [role for role in ROLES if any(who.rights.may_grant(role, place) for place in places)],
        "link": link,
    }
    return render(request, "people.html", **context)


def _row(person: Person, who: SignedIn) -> Row:
    visible = who.rights.shops("people.view")
    held = sorted((role.role, role.shop_slug) for role in person.roles)
    shown = [(role, shop) for role, shop in held if visible is None or shop in visible]
    own = person.person_id == who.person_id
    roles = [(role, shop, who.rights.may_grant(role, shop) and not own) for role, shop in shown]
    return Row(person, _in_charge(who, person), roles)


def _require_grant(who: SignedIn, role: str, shop: str) -> None:
    if not who.rights.may_grant(role, shop):
        raise DeniedError(f"you cannot give or take the role {role!r} in {shop!r}; ask an administrator")


def _in_charge(who: SignedIn, person: Person) -> bool:
    """Whether everything that `person` may do is also in the gift of who asks."""
    return who.rights.may("people.edit") and all(
        who.rights.may_grant(held.role, held.shop_slug) for held in person.roles
    )


def _require_charge(who: SignedIn, person: Person) -> None:
    """Whoever could sign in as somebody with more rights, or switch them off, would have those rights."""
    if not _in_charge(who, person):
        raise DeniedError(f"{person.name} has a role that you cannot give; ask an administrator")


def _require_seen(who: SignedIn, person: Person) -> None:
    if who.rights.shops("people.view") is not None and not _row(person, who).roles:
        raise NotFoundError(f"there is no person {person.person_id!r}")


def _check_shop(site: Site, shop: str) -> None:
    if shop != ALL_SHOPS and shop not in shop_names(site):
        raise NotFoundError(f"there is no shop {shop!r}")


def _or_none(shop: str) -> str | None:
    return None if shop == ALL_SHOPS else shop


def _back() -> Response:
    return RedirectResponse("/people", status_code=303)
