from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.lens.link import NETWORKS, Network, check_network, check_url, make_link

CLICK = "0190a5c0-0000-7000-8000-000000000001"
BASE = "https://ad.admitad.com/g/abc123/"
ADMITAD = NETWORKS["admitad"]
OWN = Network("own", "{link}?ref={subid}", sub_ids={"subid": 50})


@pytest.mark.parametrize(
    ("network", "url", "base", "expected"),
    [
        ("direct", "https://shop.example/a?b=1&a=%20#x", "", "https://shop.example/a?b=1&a=%20#x"),
        ("direct", "https://shop.example/туфли?цвет=синий", "", "https://shop.example/%D1%82%D1%83%D1%84%D0%BB%D0%B8"
         "?%D1%86%D0%B2%D0%B5%D1%82=%D1%81%D0%B8%D0%BD%D0%B8%D0%B9"),
        ("direct", "https://магазин.рф/a b", "", "https://xn--80aairftm.xn--p1ai/a%20b"),
        ("admitad", "https://shop.example/a?b=1&c=ü", BASE,
         BASE + f"?ulp=https%3A%2F%2Fshop.example%2Fa%3Fb%3D1%26c%3D%C3%BC&subid={CLICK}"),
        ("admitad", "https://shop.example/a%20b", BASE + "?erid=X&i=5",
         BASE + f"?erid=X&i=5&ulp=https%3A%2F%2Fshop.example%2Fa%2520b&subid={CLICK}"),
        ("admitad", BASE + "?ulp=https%3A%2F%2Fshop.example%2Fa", "",
         BASE + f"?ulp=https%3A%2F%2Fshop.example%2Fa&subid={CLICK}"),
        ("admitad", BASE + "?subid=shop&ulp=x", BASE, BASE + f"?subid=shop&ulp=x&subid1={CLICK}"),
        ("generic", "https://shop.example/", "https://network.example/go",
         f"https://network.example/go?url=https%3A%2F%2Fshop.example%2F&subid={CLICK}"),
    ],
)  # fmt: skip
def test_a_link_is_made_as_its_network_asks(network: str, url: str, base: str, expected: str) -> None:
    assert make_link(NETWORKS[network], url, base=base, sub_ids={"subid": CLICK}).url == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example/a", "https://shop.example/a?ref=7"),
        ("https://shop.example/a?z=1&b=2#top", "https://shop.example/a?z=1&b=2&ref=7#top"),
        ("https://shop.example/a?", "https://shop.example/a?ref=7"),
        ("https://shop.example/a?b&", "https://shop.example/a?b&ref=7"),
    ],
)
def test_a_shops_own_link_gets_a_parameter_behind_its_own(url: str, expected: str) -> None:
    assert make_link(OWN, url, sub_ids={"subid": "7"}).url == expected


def test_a_link_says_which_host_it_goes_to() -> None:
    assert make_link(NETWORKS["direct"], "https://Shop.Example:8443/a", sub_ids={}).host == "shop.example"
    assert make_link(ADMITAD, "https://shop.example/", base=BASE, sub_ids={}).host == "ad.admitad.com"


def test_every_sub_id_is_filled_and_those_without_a_value_are_left_out() -> None:
    network = replace(ADMITAD, template="{base}?subid={subid}&subid1={subid1}&subid4={subid4}&ulp={url}")

    link = make_link(network, "https://shop.example/", base=BASE, sub_ids={"subid": "a&b", "subid4": "x" * 120})

    assert link.url == BASE + f"?subid=a%26b&subid4={'x' * 120}&ulp=https%3A%2F%2Fshop.example%2F"


@pytest.mark.parametrize(("name", "length"), [("subid", 51), ("subid3", 51), ("subid4", 121)])
def test_a_sub_id_that_is_too_long_is_refused(name: str, length: int) -> None:
    network = replace(ADMITAD, template=f"{{base}}?ulp={{url}}&{name}={{{name}}}")
    with pytest.raises(InputError, match=rf"{name}: expected at most {length - 1} letters, got {length}"):
        make_link(network, "https://shop.example/", base=BASE, sub_ids={name: "x" * length})
    assert make_link(network, "https://shop.example/", base=BASE, sub_ids={name: "x" * (length - 1)})


def test_a_link_without_a_free_sub_id_is_refused() -> None:
    full = BASE + "?" + "&".join(f"{name}=1" for name in ADMITAD.sub_ids)
    with pytest.raises(InputError, match="no other sub-id is free"):
        make_link(ADMITAD, full, sub_ids={"subid": CLICK})


def test_a_shop_without_an_address_in_its_network_is_told_what_to_do() -> None:
    with pytest.raises(InputError, match="networks program"):
        make_link(ADMITAD, "https://shop.example/", sub_ids={"subid": CLICK})


TRICKS = [
    "",
    "//evil.example/",
    "/\\evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https://",
    "https://shop.example\\@evil.example/",
    "https://shop.example@evil.example/",
    "https://shop.example:secret@evil.example/",
    "https://shop.example%2f@evil.example/",
    "https://shop.example%00.evil.example/",
    "https://shop.example/\r\nLocation: https://evil.example",
    "https://shop.example/\nSet-Cookie: a=b",
    "https://shop\t.example/",
    "https://shop.example/\x00",
    "https://shop.example/\x85",
    "https://shop.example/\u2028",
    " https://shop.example/",
    "\x01https://shop.example/",
    "javascript:alert(1)",
    "JaVaScRiPt://shop.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "ftp://shop.example/",
    "file:///etc/passwd",
    "intent://shop.example/#Intent;end",
    "https://shop.example／evil.example/",
    "https://shop.example:port/",
    "https://shop.example:99999/",
    "https://[::1/",
    "https://[v1.x]/",
    "https://shop..example/",
    "https://-/",
    "https://shop.example/" + "a" * 4000,
    "https://shop.example/\ud800",
]


@pytest.mark.parametrize("url", TRICKS)
@pytest.mark.parametrize("network", ["direct", "admitad"])
def test_what_is_no_plain_address_of_a_shop_becomes_no_link(network: str, url: str) -> None:
    with pytest.raises(InputError):
        make_link(NETWORKS[network], url, base=BASE, sub_ids={"subid": CLICK})
    with pytest.raises(InputError):
        make_link(NETWORKS["admitad"], "https://shop.example/", base=url, sub_ids={"subid": CLICK})


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Network("N!"), "small letters"),
        (Network("n", "https://network.example/?u={url}"), r"\{base\}"),
        (Network("n", "{base}?u={url}&s={sub}"), "no value for sub"),
        (Network("n", "{link}?u={url}", sub_ids={"subid": 9}), "no value for url"),
        (Network("n", "{base}?s={subid}", sub_ids={"subid": 9}), "lose its offer"),
        (Network("n", "{base}?u={url}\r\n"), "template"),
        (Network("n", sub_ids={"subid": 0}), "length of 1 to 1000"),
    ],
)
def test_a_network_that_cannot_work_is_refused(network: Network, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_network(network)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_the_networks_that_are_shipped_can_work(network: Network) -> None:
    assert check_network(network) == network


urls = st.builds(
    "https://shop.example/{}?{}#{}".format,
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\\?#"), max_size=30),
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\\#"), max_size=30),
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\\"), max_size=10),
)


@given(url=urls, sub_id=st.text(st.characters(exclude_categories=["C"]), max_size=50))
def test_decoding_a_link_once_gives_the_offers_address_and_the_sub_id_back_exactly(url: str, sub_id: str) -> None:
    link = make_link(ADMITAD, url, base=BASE + "?z=1&a=%2F", sub_ids={"subid": sub_id})

    assert link.url.isascii()
    pairs = [part.partition("=")[::2] for part in urlsplit(link.url).query.split("&")]
    assert [name for name, _ in pairs] == ["z", "a", "ulp", "subid"]
    assert pairs[1][1] == "%2F"
    assert [unquote(value, errors="strict") for _, value in pairs[2:]] == [url, sub_id]
    assert dict(parse_qsl(urlsplit(link.url).query))["ulp"] == url


@given(url=urls)
def test_a_shops_own_link_stays_what_it_is(url: str) -> None:
    link = make_link(NETWORKS["direct"], url, sub_ids={"subid": CLICK}).url

    assert unquote(link) == unquote(url)
    assert link == url or not url.isascii()


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        check_url(text)
    except InputError:
        return
    link = make_link(NETWORKS["direct"], text, sub_ids={})
    assert link.url.isascii()
    assert link.url.startswith(("http://", "https://"))
