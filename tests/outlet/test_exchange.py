from __future__ import annotations

from typing import Any

import pytest

from vitrina.errors import DeniedError, InputError
from vitrina.outlet.exchange import Answer, connect, send


def post(url: str, *, timeout_s: float = 5.0) -> Answer:
    body = b"{}"
    return send("POST", url, headers={"Content-Length": "2"}, body=body, timeout_s=timeout_s, allow_private=True)


def test_what_is_sent_arrives(receiver: Any) -> None:
    answer = post(receiver.url + "?a=1")

    assert answer.accepted
    [(path, headers, body)] = receiver.got
    assert (path, body, headers["host"]) == ("/hook?a=1", b"{}", f"127.0.0.1:{receiver.port}")


@pytest.mark.parametrize("ips", [["::1", "127.0.0.1"], ["::1", "::1", "127.0.0.1", "127.0.0.2"], ["127.0.0.1", "::1"]])
def test_a_receiver_that_is_reached_by_one_kind_of_address_only_is_reached(receiver: Any, ips: list[str]) -> None:
    """As `localhost` is, and every name with an IPv6 address in a network without."""
    connection = connect("localhost", ips, receiver.port, None)

    connection.request("POST", "/hook", body=b"{}")
    assert connection.getresponse().status == 204
    connection.close()


def test_a_redirect_is_not_followed(receiver: Any) -> None:
    receiver.answers, receiver.headers = [302], {"Location": receiver.url}

    answer = post(receiver.url)

    assert (answer.status, answer.accepted, len(receiver.got)) == (302, False, 1)


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_a_receiver_that_does_not_come_to_an_end_is_left_in_time(receiver: Any, kind: str) -> None:
    receiver.answers = [kind]

    answer = post(receiver.url, timeout_s=0.4)

    assert (answer.status, answer.reason) == (None, "no answer within 0.4 s")


def test_nobody_there_is_said_in_plain_words(receiver: Any) -> None:
    receiver.stop()

    assert post(receiver.url).reason == "connection refused: nothing listens there"
    assert post("http://nowhere.invalid/").reason == "the host's name is not known"
    assert post(receiver.url.replace("http", "https")).reason == "connection refused: nothing listens there"


def test_a_server_without_tls_is_said_in_plain_words(receiver: Any) -> None:
    assert post(receiver.url.replace("http:", "https:"), timeout_s=2.0).reason.startswith("TLS: ")


@pytest.mark.parametrize(
    ("said", "expected_s"), [("120", 120.0), ("soon", None), ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0)]
)
def test_retry_after_is_a_number_or_a_date(receiver: Any, said: str, expected_s: float | None) -> None:
    receiver.answers, receiver.headers = [503], {"Retry-After": said}

    assert post(receiver.url).retry_after_s == expected_s


def test_an_address_that_is_not_allowed_gets_nothing(receiver: Any) -> None:
    with pytest.raises(InputError):
        send("POST", receiver.url, headers={}, body=b"", timeout_s=1.0)
    with pytest.raises(DeniedError):
        send("POST", receiver.url.replace("http:", "https:"), headers={}, body=b"", timeout_s=1.0)

    assert receiver.got == []
