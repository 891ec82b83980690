from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from vitrina.lens import ledger, networks
from vitrina.lens.clicks import LensClick
from vitrina.lens.postback import sign
from vitrina.storage.secrets import SecretBox

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140"}
SECRET = "what only the network knows"


@pytest.fixture
def address(lens_home: Any, serve: Callable[..., str]) -> str:
    return serve(lens_home)


def click(home: Any, address: str) -> str:
    httpx.get(f"{address}/go/best/1", headers=BROWSER, timeout=60)
    database = home.database()
    with database.reading() as session:
        found = session.query(LensClick).order_by(LensClick.t.desc()).first()
    database.dispose()
    assert found is not None
    return str(found.click_id)


def entries(home: Any) -> list[tuple[str, str, int]]:
    database = home.database()
    with database.reading() as session:
        found = [(row.order_id, row.state, row.cashback_minor) for row in ledger.list_cashback(session)]
    database.dispose()
    return found


def order(sub_id: str, status: str = "pending", **more: str) -> dict[str, str]:
    given = {"order_id": "A1", "type": "sale", "payment_status": status, "subid": sub_id, "order_sum": "40.00"}
    return {**given, "currency": "EUR", **more}


def signed(parameters: dict[str, str], secret: str = SECRET) -> dict[str, str]:
    return {**parameters, "sign": sign(secret, parameters)}


def test_an_order_is_reported_approved_and_not_taken_twice(lens_home: Any, address: str) -> None:
    sub_id = click(lens_home, address)
    with httpx.Client(base_url=address, timeout=60) as network:
        first = network.get("/postback/admitad", params=signed(order(sub_id)))
        again = network.get("/postback/admitad", params=signed(order(sub_id)))
        form = network.post("/postback/admitad", data=signed(order(sub_id, "approved")))
        late = network.post("/postback/admitad", json=signed(order(sub_id, "declined")))

    assert first.json() == {"state": "pending", "changed": True, "why": ""}
    assert again.json() == {"state": "pending", "changed": False, "why": "it is known"}
    assert form.json() == {"state": "approved", "changed": True, "why": ""}
    assert late.json() == {"state": "approved", "changed": False, "why": "it is approved already"}
    assert entries(lens_home) == [("A1", "approved", 200)]


def test_numbers_in_json_are_signed_as_they_are_written(lens_home: Any, address: str) -> None:
    parameters = signed(order(click(lens_home, address)))
    text = "{" + ", ".join(f'"{name}": "{value}"' for name, value in parameters.items()) + "}"
    text = text.replace('"40.00"', "40.00")

    answer = httpx.post(
        f"{address}/postback/admitad", content=text, headers={"Content-Type": "application/json"}, timeout=60
    )

    assert answer.json()["changed"] is True


def test_a_wrong_signature_changes_nothing(lens_home: Any, address: str) -> None:
    given = signed(order(click(lens_home, address)))
    last = given["sign"][-1]
    spoiled = [
        order(given["subid"]),
        {**given, "order_sum": "4000.00"},
        {**given, "sign": given["sign"][:-1] + ("0" if last != "0" else "1")},
        {**given, "sign": ""},
        signed(order(given["subid"]), "what somebody else guesses"),
    ]

    for parameters in spoiled:
        for answer in (
            httpx.get(f"{address}/postback/admitad", params=parameters, timeout=60),
            httpx.post(f"{address}/postback/admitad", data=parameters, timeout=60),
        ):
            assert answer.status_code == 403, parameters
            assert SECRET not in answer.text
    assert entries(lens_home) == []


def test_a_network_without_a_secret_is_not_believed_and_not_named(lens_home: Any, address: str) -> None:
    parameters = signed(order(click(lens_home, address)))
    for network in ("generic", "none", "direct"):
        answer = httpx.get(f"{address}/postback/{network}", params=parameters, timeout=60)
        assert answer.status_code == 403
        assert answer.json()["detail"] == "the signature or token does not belong to this network"
    assert entries(lens_home) == []


def test_a_network_may_send_a_token_along(lens_home: Any, address: str) -> None:
    database = lens_home.database()
    with database.session() as session:
        box = SecretBox(lens_home.path)
        networks.set_secret(session, "generic", box=box, by="test", token="t" * 20)
    database.dispose()
    parameters = {"order_id": "7", "status": "pending", "subid": "unknown"}

    wrong = httpx.get(f"{address}/postback/generic", params={**parameters, "token": "t" * 19}, timeout=60)
    right = httpx.get(f"{address}/postback/generic", params={**parameters, "token": "t" * 20}, timeout=60)

    assert (wrong.status_code, right.status_code) == (403, 200)
    assert entries(lens_home) == [("7", "pending", 0)]


def test_a_signed_word_that_does_not_fit_is_refused(lens_home: Any, address: str) -> None:
    for changed, detail in (
        ({"payment_status": "shipped"}, "payment_status"),
        ({"order_id": ""}, "order_id"),
        ({"order_sum": "NaN"}, "order_sum"),
        ({"currency": "EURO"}, "ISO 4217"),
    ):
        answer = httpx.get(f"{address}/postback/admitad", params=signed({**order("x"), **changed}), timeout=60)
        assert answer.status_code == 400
        assert detail in answer.json()["detail"]
    assert entries(lens_home) == []


def test_a_body_that_cannot_be_read_is_refused(address: str) -> None:
    headers = {"Content-Type": "application/json"}
    for body in ("[1]", "{", '{"a": {"b": 1}}', '{"a": true}', "[" * 60000):
        assert (
            httpx.post(f"{address}/postback/admitad", content=body, headers=headers, timeout=60).status_code == 400
        ), body[:9]


def test_a_parameter_that_comes_twice_is_refused(lens_home: Any, address: str) -> None:
    parameters = signed(order("x"))
    answer = httpx.get(
        f"{address}/postback/admitad", params=[*parameters.items(), ("payment_status", "approved")], timeout=60
    )
    assert answer.status_code == 400


def test_two_postbacks_at_once_are_one_entry(lens_home: Any, address: str) -> None:
    parameters = signed(order(click(lens_home, address)))
    answers: list[httpx.Response] = []
    start = threading.Barrier(8)

    def send() -> None:
        start.wait()
        answers.append(httpx.get(f"{address}/postback/admitad", params=parameters, timeout=30))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [200] * 8
    assert sum(answer.json()["changed"] for answer in answers) == 1
    assert entries(lens_home) == [("A1", "pending", 200)]


def test_secrets_are_sealed_and_never_told(lens_home: Any) -> None:
    assert SECRET.encode() not in (lens_home.path / "vitrina.db").read_bytes()


def test_who_guesses_is_slowed_down(lens_home: Any, address: str) -> None:
    with httpx.Client(base_url=address, timeout=60) as network:
        answers = [network.get("/postback/admitad", params=order("x")).status_code for _ in range(35)]
    assert answers == [403] * 30 + [429] * 5
