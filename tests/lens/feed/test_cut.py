from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vitrina.lens.feed.cut import Cut, Cutter

TAGS = (b"offer", b"category")


class Drops:
    """Gives a few bytes at a time, so that every mark is torn somewhere."""

    def __init__(self, content: bytes, size: int) -> None:
        self._stream, self._size = BytesIO(content), size

    def read(self, _size: int) -> bytes:
        return self._stream.read(self._size)


def cutter(content: bytes, *, drop: int = 1 << 18, largest: int = 1000) -> Cutter:
    return Cutter(Drops(content, drop).read, TAGS, b"yml", largest=largest)


def cut(content: bytes, *, drop: int = 1 << 18, largest: int = 1000) -> list[Cut]:
    return list(cutter(content, drop=drop, largest=largest))


def good(content: bytes, **options: int) -> list[tuple[int, bytes]]:
    return [(one.line, one.content) for one in cut(content, **options) if not one.problem]


@pytest.mark.parametrize("drop", [1, 3, 7, 1000])
def test_records_come_with_their_lines(drop: int) -> None:
    content = b"<yml>\n<offers>\n<offer id='1'>a\n</offer>\n\n<offer id='2'/><category >b</category></offers></yml>"

    assert good(content, drop=drop) == [
        (3, b"<offer id='1'>a\n</offer>"),
        (6, b"<offer id='2'/>"),
        (6, b"<category >b</category>"),
    ]


def test_the_end_of_the_document_is_seen() -> None:
    for content, closed in ((b"<yml><offer>1</offer></yml >", True), (b"<yml><offer>1</offer></ym", False)):
        reader = cutter(content, drop=5)
        assert len(list(reader)) == 1
        assert reader.is_closed is closed


@pytest.mark.parametrize(
    "content",
    [
        b"<!-- <offer>1</offer> --><offer>2</offer>",
        b"<![CDATA[<offer>1</offer>]]><offer>2</offer>",
        b"<?php <offer>1</offer> ?><offer>2</offer>",
        b"<!DOCTYPE yml [<!ENTITY x '<offer>1</offer>'>]><offer>2</offer>",
        b"<!DOCTYPE yml SYSTEM 'shops.dtd'><offer>2</offer>",
    ],
)
@pytest.mark.parametrize("drop", [1, 100])
def test_what_stands_in_a_comment_or_a_document_type_is_no_record(content: bytes, drop: int) -> None:
    assert [one.content for one in cut(content, drop=drop)] == [b"<offer>2</offer>"]


@pytest.mark.parametrize(
    "record",
    [
        b"<offer><d><![CDATA[ </offer> ]]></d></offer>",
        b"<offer><!-- </offer> <offer> --></offer>",
        b"<offer><d><![CDATA[ <offer> ]]></d><e><![CDATA[</offer>]]></e></offer>",
    ],
)
@pytest.mark.parametrize("drop", [1, 100])
def test_an_end_within_cdata_or_a_comment_is_none(record: bytes, drop: int) -> None:
    assert [one.content for one in cut(record + b"<offer>2</offer>", drop=drop)] == [record, b"<offer>2</offer>"]


@pytest.mark.parametrize("drop", [1, 100])
def test_a_record_that_is_not_closed_costs_itself(drop: int) -> None:
    found = cut(b"<offer id='1'><name>\n<offer id='2'></offer>", drop=drop)

    assert [(one.line, one.problem[:26]) for one in found] == [(1, "<offer> is not closed wher"), (2, "")]
    assert found[0].content.startswith(b"<offer id='1'>")


@pytest.mark.parametrize("filling", [b"", b"x" * 3000])
@pytest.mark.parametrize("drop", [1, 100])
def test_the_last_record_does_not_swallow_the_end_of_the_document(filling: bytes, drop: int) -> None:
    reader = cutter(b"<yml><offer>1</offer><offer>2" + filling + b"</yml>", drop=drop)

    assert [bool(one.problem) for one in reader] == [False, True]
    assert reader.is_closed


@pytest.mark.parametrize("drop", [1, 100])
def test_a_record_that_has_no_beginning_is_said(drop: int) -> None:
    found = cut(b"<offes id='1'>\n</offer><offer id='2'></offer>", drop=drop)

    assert [(one.line, one.problem[:16]) for one in found] == [(2, "</offer> without"), (2, "")]


@pytest.mark.parametrize("drop", [1, 64, 4096])
@pytest.mark.parametrize("closed", [True, False])
def test_a_record_that_is_too_large_is_passed_over(drop: int, closed: bool) -> None:
    large = b"<offer id='1' x='" + b"\n" * 3000 + (b"'></offer>" if closed else b"")

    found = cut(large + b"<offer id='2'></offer>", drop=drop, largest=1000)

    assert [(one.line, one.problem) for one in found] == [(1, "it is larger than 1,000 bytes"), (3001, "")]


def test_a_feed_that_ends_within_a_record_says_so() -> None:
    assert [one.problem for one in cut(b"<offer>1</offer><offer id='2'><na")] == ["", "the feed ends within it"]


def test_a_tag_that_closes_itself_may_hold_a_bracket() -> None:
    assert good(b'<offer a="/>"/><offer>2</offer>') == [(1, b'<offer a="/>"/>'), (1, b"<offer>2</offer>")]


def test_little_is_kept_of_what_is_no_record() -> None:
    class Endless:
        left = 200

        def read(self, size: int) -> bytes:
            self.left -= 1
            return b"<junk " * (size // 6) if self.left else b""

    reader = Cutter(Endless().read, TAGS, b"yml")

    assert list(reader) == []
    assert len(reader._buffer) < 1 << 19


@given(st.lists(st.sampled_from([b"<offer>", b"</offer>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"\n", b"x", b"/>"])))
@example([b"<offer>", b"<!--", b"</offer>"])
def test_how_the_bytes_come_makes_no_difference(pieces: list[bytes]) -> None:
    content = b"".join(pieces)

    assert cut(content, drop=1) == cut(content)
