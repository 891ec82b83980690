"""One's own account: password and API keys. Language and theme belong to the browser and are in the menu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from vitrina.chat import linking
from vitrina.errors import InputError, LimitError, NotFoundError, NotSignedInError
from vitrina.storage import accounts, apikeys, directory, sessions
from vitrina.storage.accounts import SignedIn
from vitrina.storage.rights import PERMISSIONS
from vitrina.web import chat
from vitrina.web.auth import Who, address_of, check_form
from vitrina.web.chat import ShownCode
from vitrina.web.render import render, words_of
from vitrina.web.site import Site, TheSite

router = APIRouter(prefix="/account", dependencies=[Depends(check_form)], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """What happened just now: a message, a fault, or a new key or code that is shown this once."""

    done: str = ""
    failed: str = ""
    key: str = ""
    code: ShownCode | None = None


@router.get("")
def account(request: Request, site: TheSite, who: Who, done: str = "") -> Response:
    _ = words_of(request).gettext
    messages = {
        "password": _("The password is changed. Other browsers are signed out."),
        "key": _("The key is gone."),
        "chat": _("The chat is not linked any more."),
    }
    return _account(request, site, who, Shown(done=messages.get(done, "")))


@router.post("/password")
def change_password(
    request: Request,
    site: TheSite,
    who: Who,
    new: Annotated[str, Form()],
    old: Annotated[str, Form()] = "",
) -> Response:
    _ = words_of(request).gettext
    try:
        _check_old_password(site, who, old, address_of(request))
        with site.database.session() as session:
            accounts.set_password(session, who.person_id, new, by=who.person_id)
            cookie = sessions.start_session(
                session, who.person_id, days=site.settings.session_days, address=address_of(request)
            )
    except NotSignedInError as error:
        return _account(request, site, who, Shown(failed=_("The old password is wrong.")), status_code=error.status)
    except (InputError, LimitError) as error:
        return _account(request, site, who, Shown(failed=str(error)), status_code=error.status)
    response = RedirectResponse("/account?done=password", status_code=303)
    site.stage.door.set_cookie(response, cookie)
    return response


@router.post("/keys")
def create_key(
    request: Request,
    site: TheSite,
    who: Who,
    name: Annotated[str, Form()],
    scopes: Annotated[list[str] | None, Form()] = None,
    days: Annotated[int, Form(ge=1, le=3650)] = 365,
) -> Response:
    try:
        with site.database.session() as session:
            _row, key = apikeys.create_key(session, who.person_id, name=name, scopes=scopes or [], days=days)
    except InputError as error:
        return _account(request, site, who, Shown(failed=str(error)), status_code=error.status)
    return _account(request, site, who, Shown(key=key))


@router.post("/keys/{key_id}/revoke")
def revoke_key(site: TheSite, who: Who, key_id: str) -> Response:
    with site.database.session() as session:
        if key_id not in {key.key_id for key in directory.keys_of(session, who.person_id)}:
            raise NotFoundError(f"there is no API key {key_id!r} of yours")
        apikeys.revoke_key(session, key_id, by=who.person_id)
    return RedirectResponse("/account?done=key", status_code=303)


@router.post("/chats/code")
def make_chat_code(request: Request, site: TheSite, who: Who) -> Response:
    try:
        return _account(request, site, who, Shown(code=chat.make_own_code(site, who)))
    except LimitError as error:
        return _account(request, site, who, Shown(failed=str(error)), status_code=error.status)


@router.post("/chats/{link_id}/unlink")
def unlink_chat(site: TheSite, who: Who, link_id: str) -> Response:
    with site.database.session() as session:
        linking.unlink(session, link_id, by=who.person_id, person_id=who.person_id)
    return RedirectResponse("/account?done=chat", status_code=303)


def _account(request: Request, site: Site, who: SignedIn, shown: Shown, *, status_code: int = 200) -> Response:
    with site.database.reading() as session:
        keys = directory.keys_of(session, who.person_id)
        has_password = accounts.get_person(session, who.person_id).password_hash is not None
        chats = {"own_chats": chat.own_chats(session, who), "has_bot": chat.has_bot(session)}
    scopes = [action for action in PERMISSIONS if who.rights.shops(action) != frozenset()]
    context = {"keys": keys, "scopes": scopes, "has_password": has_password, "shown": shown, **chats}
    return render(request, "account.html", status_code=status_code, lengths=accounts.PASSWORD_LENGTHS, **context)


def _check_old_password(site: Site, who: SignedIn, old: str, address: str) -> None:
    """By signing in with it, so that guesses here are slowed down like guesses there."""
    with site.database.reading() as session:
        if accounts.get_person(session, who.person_id).password_hash is None:
            return
    accounts.sign_in(site.database, who.email, old, address=address, days=site.settings.session_days)
