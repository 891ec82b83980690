"""No route is open unless the one table says so."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from vitrina.web.app import create_app
from vitrina.web.gate import OPEN_ROUTES, SAFE_METHODS, is_open, same_origin

OPEN = {(route.method, route.path) for route in OPEN_ROUTES}


def routes(app: Any) -> list[tuple[str, str]]:
    """Method and path of everything that the application answers."""
    found = []
    for route in app.routes:
        if hasattr(route, "effective_candidates"):
            found += [(m, r.path) for r in route.effective_candidates() for m in r.methods if m != "HEAD"]
        elif hasattr(route, "methods"):
            found += [(method, route.path) for method in route.methods if method != "HEAD"]
        else:
            found.append(("GET", f"{route.path}/{{path:path}}"))
    return found


def filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "x", path)


def test_every_route_that_the_table_does_not_name_turns_a_stranger_away(empty_home: Any, serve: Any) -> None:
    closed = [place for place in routes(create_app(empty_home.settings)) if place not in OPEN]
    address = serve(empty_home)

    answers = {
        (method, path): httpx.request(
            method, address + filled(path), headers={"Accept": "application/json"}, timeout=60
        ).status_code
        for method, path in closed
    }

    assert len(closed) >= 25
    assert set(answers.values()) == {401}


def test_every_open_route_exists_and_says_why_it_is_open(empty_home: Any) -> None:
    there = set(routes(create_app(empty_home.settings)))

    assert there >= OPEN
    assert all(route.why for route in OPEN_ROUTES)


def test_a_stranger_cannot_tell_a_closed_address_from_one_that_is_not_there(empty_home: Any, serve: Any) -> None:
    address = serve(empty_home)

    closed, missing = (httpx.get(f"{address}/{path}", timeout=60) for path in ("people", "nothing-here"))

    assert (closed.status_code, closed.json()["detail"]) == (missing.status_code, missing.json()["detail"])


def test_a_person_who_is_not_signed_in_is_sent_to_the_form_and_back(empty_home: Any, serve: Any) -> None:
    answer = httpx.get(f"{serve(empty_home)}/shops/riga?day=2026-03-01", headers={"Accept": "text/html"}, timeout=60)

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=%2Fshops%2Friga%3Fday%3D2026-03-01"


@pytest.mark.parametrize(
    "path", ["/sign-in/more", "/invitations", "/invitations/a/b", "/statics/x", "/healthy", "//health"]
)
def test_a_path_that_only_looks_like_an_open_one_is_closed(path: str) -> None:
    assert not is_open("GET", path)


def test_every_form_without_its_token_is_refused(chain_home: Any, serve: Any, visit: Any) -> None:
    chain_home.person("anna@example.org", ("admin", None))
    address = serve(chain_home)
    anna = visit(address)
    anna.sign_in("anna@example.org")
    forms = [
        (m, p) for m, p in routes(create_app(chain_home.settings)) if m not in SAFE_METHODS and p != "/preferences"
    ]

    for method, path in forms:
        fields = {
            "email": "x@example.org",
            "password": "x" * 12,
            "name": "x",
            "role": "admin",
            "shop": "*",
            "new": "y" * 12,
        }
        answer = anna.http.request(method, filled(path), data=fields | {"form_token": "AAAA"})
        assert answer.status_code == 403, path


def test_a_form_from_another_site_is_refused_even_with_the_right_token(chain_home: Any, serve: Any, visit: Any) -> None:
    chain_home.person("anna@example.org", ("admin", None))
    anna = visit(serve(chain_home))

    for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        anna.http.headers.update(header)
        assert anna.sign_in("anna@example.org").status_code == 403
        for name in header:
            del anna.http.headers[name]


def test_a_token_of_one_browser_is_worth_nothing_in_another(chain_home: Any, serve: Any, visit: Any) -> None:
    chain_home.person("anna@example.org", ("admin", None))
    address = serve(chain_home)
    anna, eve = visit(address), visit(address)
    for somebody in (anna, eve):
        somebody.sign_in("anna@example.org")
    stolen = re.search(r'form_token" value="([^"]+)', eve.get("/account").text)
    assert stolen is not None

    answer = anna.http.post("/account/keys", data={"name": "x", "scopes": "shop.view", "form_token": stolen[1]})

    assert answer.status_code == 403


def test_websockets_are_closed_before_they_open(empty_home: Any, serve: Any) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "eHh4",
    }

    assert httpx.get(f"{serve(empty_home)}/live", headers=upgrade, timeout=60).status_code in (401, 403, 404)


def request_with(headers: dict[str, str]) -> Any:
    from starlette.requests import Request

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw, "query_string": b""})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "shop.example", "Origin": "https://shop.example"}, True),
        ({"Host": "10.0.0.7:8000", "Origin": "https://vitrina.example"}, True),
        ({"Host": "shop.example", "Origin": "https://shop.example.evil"}, False),
        ({"Host": "shop.example", "Origin": "null"}, False),
        ({"Host": "shop.example", "Sec-Fetch-Site": "same-site"}, False),
        ({"Host": "shop.example"}, True),
    ],
)
def test_a_form_counts_as_ours_by_its_origin(headers: dict[str, str], expected: bool) -> None:
    assert same_origin(request_with(headers), "https://vitrina.example") is expected
