"""Coming in and going out: password, invitation, one-time link, the demo's own door, and what a browser prefers."""

from __future__ import annotations

from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from vitrina.errors import ConflictError, InputError, LimitError, NotFoundError, NotSignedInError
from vitrina.settings import LANGUAGES
from vitrina.storage import accounts, sessions
from vitrina.web.auth import DAY_S, address_of, check_form, is_local, local_path, visitor_of
from vitrina.web.render import THEMES, render, words_of
from vitrina.web.site import Site, TheSite

router = APIRouter(dependencies=[Depends(check_form)], include_in_schema=False)

Text = Annotated[str, Form()]


class _Stay(TypedDict):
    """How long a session lasts, and where it was begun."""

    days: int
    address: str


@router.get("/sign-in")
def sign_in_form(request: Request, site: TheSite, next: str = "/") -> Response:  # noqa: A002
    if visitor_of(request).person is not None:
        return _to(next)
    return render(request, "sign_in.html", next=next, email="", failed="", nobody_yet=_is_empty(site))


@router.post("/sign-in")
def sign_in(request: Request, site: TheSite, email: Text, password: Text, next: Text = "/") -> Response:  # noqa: A002
    days, _ = site.settings.session_days, words_of(request).gettext
    try:
        token = accounts.sign_in(site.database, email, password, address=address_of(request), days=days)
    except NotSignedInError as error:
        failed, status = _("The e-mail address or the password is wrong."), error.status
    except LimitError as error:
        failed, status = _("Too many attempts. Wait a moment, then try again."), error.status
    else:
        return _enter(site, token, next)
    shown = {"next": next, "email": email, "failed": failed, "nobody_yet": False}
    return render(request, "sign_in.html", status_code=status, **shown)


@router.post("/sign-out")
def sign_out(request: Request, site: TheSite) -> Response:
    with site.database.session() as session:
        sessions.end_session(session, visitor_of(request).cookie)
    response = _to("/sign-in")
    site.stage.door.clear(response)
    return response


@router.get("/invitations/{token}")
def invitation_form(request: Request, site: TheSite, token: str) -> Response:
    with site.database.reading() as session:
        accounts.open_invitation(session, token)
    return _invitation(request, token)


@router.post("/invitations/{token}")
def accept(request: Request, site: TheSite, token: str, email: Text, name: Text, password: Text) -> Response:
    try:
        with site.database.session() as session:
            person = accounts.accept_invitation(session, token, email=email, name=name, password=password)
            cookie = sessions.start_session(session, person.person_id, **_stay(site, request))
    except (InputError, ConflictError) as error:
        return _invitation(request, token, name=name, email=email, failed=str(error), status_code=error.status)
    return _enter(site, cookie, "/")


@router.get("/links/{token}")
def link_form(request: Request, token: str) -> Response:
    return render(request, "link.html", token=token)


@router.post("/links/{token}")
def follow_link(request: Request, site: TheSite, token: str) -> Response:
    with site.database.session() as session:
        person = accounts.follow_link(session, token)
        cookie = sessions.start_session(session, person.person_id, **_stay(site, request))
    return _enter(site, cookie, "/")


@router.get("/demo")
def demo(request: Request, site: TheSite, next: str = "/") -> Response:  # noqa: A002
    """`vitrina demo` lets whoever sits at this machine in, as a person who sees everything and changes nothing."""
    if site.demo_person is None or not is_local(request):
        raise NotFoundError("there is nothing at this address")
    with site.database.session() as session:
        cookie = sessions.start_session(session, site.demo_person, **_stay(site, request))
    return _enter(site, cookie, next)


@router.post("/preferences")
def preferences(
    language: Annotated[str | None, Form()] = None,
    theme: Annotated[str | None, Form()] = None,
    next: Text = "/",  # noqa: A002
) -> Response:
    response = _to(next)
    for name, value, allowed in (("language", language, LANGUAGES), ("theme", theme, THEMES)):
        if value in allowed:
            response.set_cookie(name, str(value), max_age=365 * DAY_S, samesite="lax", httponly=True)
    return response


def _invitation(
    request: Request, token: str, *, name: str = "", email: str = "", failed: str = "", status_code: int = 200
) -> Response:
    shown = {"token": token, "name": name, "email": email, "failed": failed, "lengths": accounts.PASSWORD_LENGTHS}
    return render(request, "invitation.html", status_code=status_code, **shown)


def _stay(site: Site, request: Request) -> _Stay:
    return {"days": site.settings.session_days, "address": address_of(request)}


def _enter(site: Site, cookie: str, target: str) -> Response:
    response = _to(target)
    site.stage.door.clear(response)
    site.stage.door.set_cookie(response, cookie)
    return response


def _to(target: str) -> RedirectResponse:
    return RedirectResponse(local_path(target), status_code=303)


def _is_empty(site: Site) -> bool:
    with site.database.reading() as session:
        return not accounts.anybody(session)
