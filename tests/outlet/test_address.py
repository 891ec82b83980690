from __future__ import annotations

import pytest

from vitrina.errors import DeniedError, InputError
from vitrina.outlet.address import look_up, parse, without_query


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "ftp://example.org/", "https://", "https:///x", "https://u:p@example.org/", "http://example.org/",
        "https://example.org:99999/", "https://example.org/#x", "https://exa mple.org/", "https://example.org/\n",
        "https://münchen.example/", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_an_address_that_none_can_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="address"):
        parse(url, allow_private=False)


def test_an_address_in_its_parts() -> None:
    address = parse("https://hooks.example.org:8443/a/b?key=1", allow_private=False)

    assert (address.host, address.port, address.target) == ("hooks.example.org", 8443, "/a/b?key=1")
    assert address.host_header == "hooks.example.org:8443"
    assert parse("https://example.org", allow_private=False).target == "/"
    assert parse("https://[2606:4700::1]/", allow_private=False).host_header == "[2606:4700::1]"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "127.1", "2130706433", "0.0.0.0", "10.1.2.3", "192.168.0.1", "172.16.0.1",
        "169.254.169.254", "100.64.0.1", "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1", "255.255.255.255",
    ],
)  # fmt: skip
def test_what_only_this_machine_can_see_is_not_reached(host: str) -> None:
    with pytest.raises(DeniedError, match="not on the public internet"):
        look_up(parse(f"https://{host}/", allow_private=False), allow_private=False)


def test_a_network_of_ones_own_is_reached_when_it_is_allowed() -> None:
    assert look_up(parse("http://127.0.0.1:8080/", allow_private=True), allow_private=True) == ["127.0.0.1"]
    assert look_up(parse("https://1.1.1.1/", allow_private=False), allow_private=False) == ["1.1.1.1"]


def test_a_query_is_not_shown() -> None:
    assert without_query("https://example.org/hook?token=secret") == "https://example.org/hook?…"
    assert without_query("https://example.org/hook") == "https://example.org/hook"
