"""Why a record, a picture, an import, a photo or a question was refused and cashback moved, in the reader's language.

Parsers, servers and decoders say it in English, each with what came; here are the sentences, with holes for that.
What none of them fits, such as a decoder's own words, stays as it was said.
"""

from __future__ import annotations

import re
from functools import cache, partial

from vitrina.lens.photo import OTHER_THINGS, READ
from vitrina.web.words import Words

RECORDS = (
    "expected an id of 1 to {count} letters",
    "expected a name, got none",
    "expected the address of its page, got none",
    "expected the address of its page (https://…), got {found}",
    "expected a price, got none",
    "expected a price above 0, got {found}",
    "expected a price such as 499.00, got {found}",
    "expected a price, got {found}, which nobody pays",
    "expected a currency such as EUR, the feed names none; give the shop's with --currency",
    "expected a currency such as EUR, got {found}",
    "expected one record, it closes and opens tags that are not its own",
    "another offer before it has this id",
    "not well-formed XML at line {line}: {said}",
    "the feed ends within it",
    "{tag} is not closed where the next one begins",
    "it is larger than {count} bytes",
    "its line is longer than {count} bytes",
    "its line is not UTF-8",
    "expected {columns} columns, got {count}; a quote before it may not be closed",
    "expected {columns} columns, got {count}",
)

MENDED = (
    "line {line}: {mended} ({count} times)",
    "line {line}: {mended}",
    "bytes that are no UTF-8 left out",
    "control characters left out",
    "numbers of characters that XML does not know left out",
    "HTML's names of characters (such as &nbsp;) read",
    "& that stands alone read as itself",
    "prefixes that nothing declares taken as they are",
    "its letters are {encoding}, not {declared} as it says",
    "a picture is no file in the feed's folder, left out: {examples}",
    "a picture is no address (--allow-files takes paths), left out: {examples}",
)

IMPORTS = (
    "the feed had {before} offers and has {now} now: more than a third would be gone. If that is right: {command}",
    "no offer in it fits: {count} were rejected; the first reasons are on the feed's page",
    "there is no offer in it",
    "it was stopped",
    "it was killed; the next import made up for it",
    "a newer import came; {reason}",
    "refused by a person; {reason}",
    "{reason} (nothing of it was taken)",
    "{reason} (no offer stood before that)",
    "{feed}: the feed ends in the middle: expected {tag}, got the end of the file. Its shop wrote half of it, or it "
    "was not fetched whole.",
    "{feed}: the feed ends in the middle of its gzip data; fetch it again.",
    "{feed}: its gzip data are damaged ({said}); fetch it again.",
    "{feed}: more than {count} records do not fit; the rest was not read.",
    "{feed}: expected a feed, got an empty file.",
    "{feed}: expected a feed, got a web page: perhaps one that asks to sign in.",
    "{feed}: expected a feed (YML, Google Merchant, CSV), got {found}.",
)

SERVERS = (
    "{host} is at {ip}, which is not on the public internet. If that is meant, allow addresses in your own network for "
    "this receiver.",
    "{host}: {reason}; tried {count} times",
    "{host}: expected the file, the server answered HTTP {status}: a user and password are needed.",
    "{host}: expected the file, the server answered HTTP {status}: it forbids this.",
    "{host}: expected the file, the server answered HTTP {status}: there is nothing there.",
    "{host}: expected the file, the server answered HTTP {status}.",
    "{host}: expected the file, got more than {count} redirects.",
    "{host}: expected https://HOST/PATH, its redirect leads nowhere.",
    "{host}: expected at most {size}, the file is larger.",
    "{host}: the host's name is not known",
    "expected an address such as https://shop.example/thing, got {found}",
    "expected an address of at most {count} letters, got {more}",
    "expected an address without backslashes, control letters and spaces around, got {found}",
    "no connection within {seconds} s",
    "no answer within {seconds} s",
    "connection refused: nothing listens there",
    "the connection was cut before an answer came",
    "the connection was cut before the file was whole",
    "the server answered HTTP {status}",
    "the file changed while it was fetched",
    "the server sends less than {count} bytes a second",
    "what came was no HTTP",
    "[Errno 2] No such file or directory: {file}",
)

PICTURES = (
    "{name} is a video or another kind of file ({found}); expected {kinds}",
    "{name} is {kind}; expected {kinds}",
    "{name} is a pixel bomb: {said}",
    "{name} begins like {kind} but cannot be read: {said}",
    "{name} has {size} million pixels, expected at most {largest} million: send a smaller one",
    "{name} has {size} MB, expected at most {largest} MB: send a smaller one",
    "{name} has {size} pixels; expected at least {least} on each side",
    "{name} is damaged: {said}. Send it again, or send another one",
    "what came is more than {size} MB when it is unpacked",
    "what came is damaged: {said}",
    "the picture that was kept is damaged",
    "the photo",
    "what came",
    READ,
    *dict.fromkeys(what for _start, what in OTHER_THINGS),
    "empty",
    "a web page (HTML), not a picture",
    "an SVG drawing",
    "XML or HTML, not a picture",
    "JSON, not a picture",
    "text, not a picture",
    "no picture that we know",
)

SEARCHES = (
    "too many people search at this moment; try again in some seconds",
    "too many requests; try again in {seconds} s",
    "find: expected a photo, or words that say what to look for",
    "photo: expected at most {largest} MB, got {size} MB",
    "price: expected its currency as well",
    "expected an amount such as 12.50, got {found}",
)

CASHBACK = (
    "order {order}: it belongs to no wallet, so there is nobody to pay",
    "order {order}: there is no cashback to pay",
    "order {order}: it is held until {day}",
    "the network reports it; {reason}",
    "the network reports it",
    "the network says so",
    "the network did not decide in time",
    "no click of this network has its sub-id",
    "order {amount}; {reason}",
    "order {amount}",
    "commission {amount}; {reason}",
    "commission {amount}",
)

QUESTIONS = (
    "{field}: expected a date such as 2026-11-03, got {found}",
    "{field}: expected a day of the years {first} to {last}, got {found}",
    "{day} has not begun in {shop}; today is {today} there",
    "a period ends on its first day or later, got {first} to {last}; swap the two",
    "a period has up to three years, got {first} to {last}; ask for less",
    "from: {first} is after {last}, the last day that can be shown; choose an earlier day",
    "from: {first} to {last} is longer than {count} days; ask for fewer",
    "from, to: expected up to {count} days, the first before the last, got {first} to {last}",
    "against: expected up to {count} days, first..last, got {found}",
    "against: expected {choices}, or two days such as 2026-01-01..2026-01-31, got {found}",
    "shops: expected two to six shops to compare, got {count}; choose them on the chain's page",
    "there is no shop {shop}",
    "there is nothing at this address",
    "{action} in {where} needs one of the roles {roles}.",
    "this form is too old or was sent from another site; open the page again and retry",
    "you have no role yet in any shop that you could ask about",
    "expected one SELECT, got {found}; the lake can only be read",
    "SQL may read the tables of the lake, and no file, address or setting besides",
    "the question took longer than {seconds} s; ask for fewer days or shops",
    "the question needs more than {size} MB; ask for fewer days, or raise query_memory_mb",
    "the answer has more than {count} rows; add a LIMIT or group the rows",
    "something went wrong here; it is in the log under {incident}",
)

SENTENCES = (*RECORDS, *MENDED, *IMPORTS, *SERVERS, *PICTURES, *SEARCHES, *CASHBACK, *QUESTIONS)
"""Each has a translation; of two that fit, the first one counts."""

_HOLE = re.compile(r"\{(\w+)\}")
_SENTENCES_TOO = frozenset({"reason", "name", "kind", "kinds", "mended"})
"""Holes in which such a sentence may stand itself."""


def tell_refusal(words: Words, said: str) -> str:
    """said: as the catalog or an error has it."""
    for pattern, sentence in _patterns():
        if found := pattern.fullmatch(said):
            return _HOLE.sub(partial(_part, words, found), words.gettext(sentence))
    return said


def _part(words: Words, found: re.Match[str], hole: re.Match[str]) -> str:
    name, part = hole[1], found[hole[1]]
    return tell_refusal(words, part) if name in _SENTENCES_TOO else part


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(_HOLE.sub(_hole, _escaped(one)), re.DOTALL), one) for one in SENTENCES)


def _hole(found: re.Match[str]) -> str:
    return rf"(?P<{found[1]}>{'[^()]+?' if found[1] == 'count' else '.+?'})"


def _escaped(sentence: str) -> str:
    """Everything but the holes is meant as it stands."""
    return "".join(part if _HOLE.fullmatch(part) else re.escape(part) for part in re.split(r"(\{\w+\})", sentence))
