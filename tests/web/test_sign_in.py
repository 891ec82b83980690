"""Coming in and going out, as a browser does it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from vitrina.errors import InputError
from vitrina.storage import accounts
from vitrina.web.app import create_app
from vitrina.web.auth import is_loopback, local_path


@pytest.fixture
def address(chain_home: Any, serve: Any) -> str:
    chain_home.person("anna@example.org", ("admin", None), name="Anna")
    return str(serve(chain_home))


def test_the_right_password_opens_the_shops(address: str, visit: Any) -> None:
    anna = visit(address)

    answer = anna.sign_in("Anna@Example.org ")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "Berlin" in anna.get("/").text


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(address: str, visit: Any) -> None:
    cookie = visit(address).sign_in("anna@example.org").headers.get_list("set-cookie")[-1]

    assert cookie.startswith("vitrina=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))


def test_over_https_the_cookie_is_secure_and_bound_to_this_host(chain_home: Any, serve: Any, visit: Any) -> None:
    settings = replace(chain_home.settings, public_url="https://vitrina.example")
    page = visit(serve(replace(chain_home, settings=settings))).get("/sign-in")

    assert page.headers["Set-Cookie"].startswith("__Host-vitrina-guest=")
    assert "Secure" in page.headers["Set-Cookie"]
    assert "max-age" in page.headers["Strict-Transport-Security"]


@pytest.mark.parametrize(("email", "password"), [("anna@example.org", "wrong words here"), ("nobody@example.org", "x")])
def test_a_wrong_password_and_an_unknown_person_get_the_same_answer(
    address: str, visit: Any, email: str, password: str
) -> None:
    answer = visit(address).sign_in(email, password)

    assert answer.status_code == 401
    assert "The e-mail address or the password is wrong." in answer.text
    assert "vitrina=" not in answer.headers.get("Set-Cookie", "")


def test_guessing_is_slowed_down(address: str, visit: Any) -> None:
    eve = visit(address)

    answers = [eve.sign_in("anna@example.org", "wrong words here").status_code for _ in range(6)]

    assert answers == [401] * 5 + [429]


def test_signing_in_leads_back_to_the_page_that_was_asked_for_but_never_elsewhere(address: str, visit: Any) -> None:
    anna = visit(address)

    inside = anna.post("/sign-in", "/sign-in", email="anna@example.org", password=PASSWORD, next="/measures/footfall")
    anna.post("/sign-out", "/account")
    outside = anna.post("/sign-in", "/sign-in", email="anna@example.org", password=PASSWORD, next="//evil.example/x")

    assert (inside.headers["Location"], outside.headers["Location"]) == ("/measures/footfall", "/")


def test_signing_out_ends_the_session_on_the_server(address: str, visit: Any) -> None:
    anna = visit(address)
    anna.sign_in("anna@example.org")
    kept = dict(anna.http.cookies)

    anna.post("/sign-out", "/account")

    assert httpx.get(f"{address}/api/v1/me", cookies=kept, timeout=60).status_code == 401


def test_an_invitation_makes_one_account_and_then_is_spent(chain_home: Any, serve: Any, visit: Any) -> None:
    database = chain_home.database()
    with database.session() as session:
        token = accounts.invite(session, role="director", shop="demo-london", hours=1, by="test")
    database.dispose()
    boris, link = visit(serve(chain_home)), f"/invitations/{token}"
    fields = {"name": "Boris", "email": "boris@example.org"}

    too_short = boris.post(link, link, password="short", **fields)
    accepted = boris.post(link, link, password=PASSWORD, **fields)
    again = visit(str(boris.http.base_url)).post(link, link, password=PASSWORD, name="Eve", email="eve@example.org")

    assert (too_short.status_code, accepted.status_code, again.status_code) == (400, 303, 404)
    assert boris.get(link).status_code == 404
    assert "used already or is too old" in boris.get(link).text
    assert "expected 10 to 200 characters" in too_short.text
    assert "London" in boris.get("/").text
    assert "Berlin" not in boris.get("/").text


def test_a_sign_in_link_asks_first_and_works_once(chain_home: Any, serve: Any, visit: Any) -> None:
    anna = chain_home.person("anna@example.org", ("admin", None), name="Anna")
    database = chain_home.database()
    with database.session() as session:
        link = f"/links/{accounts.sign_in_link(session, anna, hours=1, by='test')}"
    database.dispose()
    address = serve(chain_home)

    looked = [visit(address).get(link).status_code for _ in range(2)]  # previews and scanners look at links
    first, second = visit(address).post(link, link), visit(address).post(link, link)

    assert looked == [200, 200]
    assert (first.status_code, second.status_code) == (303, 404)


def test_the_first_page_of_an_empty_house_says_where_the_first_link_is(empty_home: Any, serve: Any, visit: Any) -> None:
    assert "stands in the terminal" in visit(serve(empty_home)).get("/sign-in").text


def test_language_and_theme_are_kept_in_the_browser(address: str, visit: Any) -> None:
    anna = visit(address)

    anna.post("/preferences", "/sign-in", language="ru")
    anna.post("/preferences", "/sign-in", theme="dark")
    page = anna.get("/sign-in").text

    assert '<html lang="ru" data-theme="dark">' in page
    assert "Войти" in page


def test_the_browsers_own_language_counts_until_one_is_chosen(address: str) -> None:
    page = httpx.get(
        f"{address}/sign-in", headers={"Accept": "text/html", "Accept-Language": "ru-RU,en;q=0.5"}, timeout=60
    ).text

    assert '<html lang="ru"' in page


def test_the_demo_lets_this_machine_in_as_somebody_who_only_looks(chain_home: Any, serve: Any, visit: Any) -> None:
    guest = visit(serve(chain_home, demo=True))

    entered = guest.get("/shops/demo-berlin", follow_redirects=True)

    assert entered.status_code == 200
    assert "Demo: simulated shops" in entered.text
    assert guest.get("/people").status_code == 404
    assert guest.get("/audit").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Via": "1.1 proxy"},
        {"Forwarded": "for=203.0.113.9"},
    ],
)
def test_the_demo_lets_nobody_in_from_outside(chain_home: Any, serve: Any, headers: dict[str, str]) -> None:
    assert httpx.get(f"{serve(chain_home, demo=True)}/demo", headers=headers, timeout=60).status_code == 404


def test_without_the_demo_its_door_is_not_there(address: str) -> None:
    assert httpx.get(f"{address}/demo", timeout=60).status_code == 404


def test_a_demo_that_would_listen_to_the_network_does_not_start(chain_home: Any) -> None:
    with pytest.raises(InputError, match=r"must stay on 127\.0\.0\.1"):
        create_app(replace(chain_home.settings, host="0.0.0.0"), demo=True)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/shops/a?day=1", "/shops/a?day=1"),
        ("//evil", "/"),
        ("/\\evil", "/"),
        ("https://evil", "/"),
        ("", "/"),
        ("/a\nb", "/"),
    ],
)
def test_only_a_path_of_this_site_is_followed(target: str, expected: str) -> None:
    assert local_path(target) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        (None, False),
    ],
)
def test_this_machine_is_known_by_its_names(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected


PASSWORD = "correct horse battery"
