from __future__ import annotations

import base64
import hashlib
import hmac
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import DeniedError, InputError
from vitrina.outlet.signature import check_secret, new_secret, signed_headers, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_it_is_the_signature_of_the_standards_own_example() -> None:
    headers = signed_headers(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(st.binary(max_size=200), st.integers(0, 2**40))
def test_what_was_signed_is_accepted_with_the_bytes_that_python_signs(body: bytes, timestamp: int) -> None:
    secret = new_secret()
    headers = signed_headers(secret, "msg_1", timestamp, body)

    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = hmac.new(key, b"msg_1." + str(timestamp).encode() + b"." + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
    verify(secret, headers, body, now_s=timestamp + 299)


def test_several_signatures_are_accepted_when_one_is_ours() -> None:
    headers = signed_headers(SECRET, "msg_1", 1000, b"{}")

    verify(SECRET, {**headers, "webhook-signature": "v1,abc " + headers["webhook-signature"]}, b"{}", now_s=1000)


@pytest.mark.parametrize(
    ("changed", "body", "now_s"),
    [
        ({}, b"{} ", 1000.0),
        ({"webhook-id": "msg_2"}, b"{}", 1000.0),
        ({"webhook-timestamp": "1001"}, b"{}", 1000.0),
        ({"webhook-timestamp": "soon"}, b"{}", 1000.0),
        ({}, b"{}", 1301.0),
        ({}, b"{}", 699.0),
    ],
)
def test_what_was_changed_or_is_old_is_refused(changed: dict[str, str], body: bytes, now_s: float) -> None:
    headers = signed_headers(SECRET, "msg_1", 1000, b"{}")

    with pytest.raises(DeniedError):
        verify(SECRET, headers | changed, body, now_s=now_s)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_abc", "whsec_" + "A" * 28, "whsec_%%%%"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(InputError, match="24 to 64 bytes"):
        check_secret(secret)


def test_the_example_in_the_documentation_accepts_ours_and_nothing_else() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "webhooks.md").read_text(encoding="utf-8")
    example: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], example)
    headers = signed_headers(SECRET, "msg_1", int(time.time()), b"{}")

    assert example["is_from_vitrina"](SECRET, headers, b"{}")
    assert not example["is_from_vitrina"](SECRET, headers, b"{} ")
    assert not example["is_from_vitrina"](SECRET, headers | {"webhook-timestamp": "1"}, b"{}")
