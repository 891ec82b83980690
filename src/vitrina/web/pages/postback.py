"""`/postback/NETWORK`: where networks report orders. Open, and believed only with the network's signature."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from vitrina.errors import DeniedError, InputError, NotFoundError
from vitrina.lens import booking, networks, postback
from vitrina.storage.secrets import SecretBox
from vitrina.web.auth import address_of
from vitrina.web.site import Site, TheSite

router = APIRouter(include_in_schema=False)

PER_MINUTE, AT_ONCE = 3000, 1000
FAILED_PER_MINUTE, FAILED_AT_ONCE = 30, 30


@router.api_route("/postback/{network}", methods=["GET", "POST"])
async def take_postback(request: Request, site: TheSite, network: str) -> Response:
    """200 for every signed word, also one that changes nothing: networks send again what is not taken."""
    site.brakes.count("postback", address_of(request), per_minute=PER_MINUTE, at_once=AT_ONCE)
    pairs = [*request.query_params.multi_items(), *(await _body(request) if request.method == "POST" else [])]
    told = await run_sync(partial(_take, site, network, pairs, address_of(request)))
    answer = {"state": told.state, "changed": told.changed, "why": told.why}
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _take(site: Site, name: str, pairs: list[tuple[str, str]], address: str) -> booking.Told:
    with site.database.reading() as session:
        try:
            network = networks.find_network(session, name)
            door = networks.door_of(session, name, SecretBox(site.settings.home))
            parameters = postback.once(pairs)
            postback.verify(parameters, secret=door.secret, token=door.token)
        except (DeniedError, NotFoundError):  # a stranger must not learn which networks there are
            site.brakes.count("postback failed", address, per_minute=FAILED_PER_MINUTE, at_once=FAILED_AT_ONCE)
            raise DeniedError("the signature or token does not belong to this network") from None
    told = postback.read_conversion(network, parameters)
    with site.database.session() as session:
        return booking.take(session, told, who=f"network:{name}", now=datetime.now(UTC))


async def _body(request: Request) -> list[tuple[str, str]]:
    """The parameters of a form, or of one flat JSON object. Raises InputError."""
    if "json" not in request.headers.get("Content-Type", ""):
        form = await request.form()
        return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    try:
        found = json.loads(await request.body(), object_pairs_hook=list, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise InputError("expected a JSON object, got something that is none") from error
    if not isinstance(found, list) or not all(_is_flat(pair) for pair in found):
        raise InputError("expected one flat JSON object of texts and numbers")
    return found


def _is_flat(pair: Any) -> bool:
    """Numbers stay as they were written: they are signed so."""
    return isinstance(pair, tuple) and isinstance(pair[1], str)
