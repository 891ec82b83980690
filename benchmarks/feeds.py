"""Feeds into the catalog: offers a second beside the parsers alone, a feed again that did not change, damaged feeds.

The feed is simulated: 100,000 offers of YML with thirteen elements each, about 60 MB. Each figure is the best of
`ROUNDS` in processor time of one process, as the machine may be busy; lxml and the standard library only look at every
element of every offer, ours makes checked offers of them, and into the store has words and pictures as well.
Loading the libraries, a fifth of a second, is left out of all of them.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from benchmarks.table import BarRow, Report
from vitrina.lens.feed.reading import read_feed
from vitrina.lens.importing import Imported, import_feed
from vitrina.lens.reader import Order, Part

OFFERS, ROUNDS, SEED = 100_000, 3, 7
DAMAGED = 10_000
WORDS = ("red", "blue", "cotton", "dress", "shoe", "boot", "sneaker", "leather", "bag", "summer", "slim", "classic")


def run() -> Report:
    with tempfile.TemporaryDirectory() as folder:
        feed = write_feed(Path(folder) / "feed.xml", OFFERS)
        rows, rates = [], {}
        for name, what in (
            ("lxml iterparse, parse only", with_lxml),
            ("xml.etree iterparse, parse only", with_etree),
            ("vitrina, checked offers", with_ours),
        ):
            rates[name] = OFFERS / min(timed(what, feed) for _ in range(ROUNDS))
            rows.append([name, round(rates[name]), ""])
        into = [alone("store", feed) for _ in range(ROUNDS)]
        store = max(one["rate"] for one in into)
        again_s, again_wall_s = min(one["again_s"] for one in into), min(one["again_wall_s"] for one in into)
        memory = max(one["peak_mb"] for one in into)
        rows.append(["vitrina, into the store", round(store), f"{memory:.0f} MB"])
        rows.append(["vitrina, the same feed again", round(OFFERS / again_s), f"{again_wall_s:.1f} s on the clock"])
    told = torment()
    rows.append(
        [f"damaged feeds ({told['feeds']:,})", "", f"{told['peak_mb']:.0f} MB, {len(told['wrong'])} went wrong"]
    )
    bars: list[BarRow] = [
        ("offers a second into the store", store, "≥ 25,000", store >= 25_000),
        ("seconds for an unchanged feed of 100,000 offers", again_s, "≤ 5", again_s <= 5),
        ("memory of an import, MB", memory, "≤ 300", memory <= 300),
        ("damaged feeds that crash, say nothing, or are half in", float(len(told["wrong"])), "0", not told["wrong"]),
        ("memory of reading damaged feeds, MB", told["peak_mb"], "≤ 300", told["peak_mb"] <= 300),
    ]
    return Report("Feeds of 100,000 simulated offers", ["what", "offers/s", "besides"], rows, bars)


def write_feed(path: Path, count: int) -> Path:
    dice = random.Random(SEED)
    with path.open("w", encoding="utf-8") as file:
        file.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<yml_catalog date="2026-01-01 00:00">\n<shop><name>S</name>'
        )
        file.write('<currencies><currency id="RUR" rate="1"/></currencies><categories>\n')
        for number in range(1, 201):
            parent = f' parentId="{(number - 1) // 10}"' if number > 10 else ""
            file.write(f'<category id="{number}"{parent}>Category {number}</category>\n')
        file.write("</categories><offers>\n")
        file.writelines(offer(number, dice) for number in range(count))
        file.write("</offers></shop></yml_catalog>\n")
    return path


def offer(number: int, dice: random.Random) -> str:
    return f"""<offer id="{number}" available="true" group_id="g{number // 3}">
<url>https://shop.example/product/{number}?v=1</url>
<price>{dice.randint(100, 9999)}.50</price><oldprice>{dice.randint(10000, 20000)}</oldprice>
<currencyId>RUR</currencyId><categoryId>{dice.randint(1, 200)}</categoryId>
<picture>https://cdn.shop.example/img/{number}.jpg</picture>
<name>{" ".join(dice.choices(WORDS, k=5)).title()} {number}</name>
<vendor>Brand{number % 50}</vendor><vendorCode>VC-{number}</vendorCode>
<description>{" ".join(dice.choices(WORDS, k=20))}</description>
<param name="Color">{dice.choice(WORDS)}</param><param name="Size">{dice.randint(36, 48)}</param>
</offer>
"""


def timed(what: Callable[[Path], int], feed: Path) -> float:
    import lxml.etree  # noqa: F401 - loaded before the clock runs

    began = time.process_time()
    found = what(feed)
    if found != OFFERS:
        raise AssertionError(f"{what.__name__} found {found} offers")
    return time.process_time() - began


def with_lxml(feed: Path) -> int:
    from lxml import etree

    count = 0
    for _, element in etree.iterparse(str(feed), tag="offer"):
        count += bool({child.tag: child.text for child in element})
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return count


def with_etree(feed: Path) -> int:
    count = 0
    root = None
    for event, element in ET.iterparse(feed, events=("start", "end")):
        root = element if element.tag == "offers" and event == "start" else root
        if event == "end" and element.tag == "offer" and root is not None:
            count += bool({child.tag: child.text for child in element})
            root.clear()
    return count


def with_ours(feed: Path) -> int:
    with feed.open("rb") as stream:
        return sum(1 for _ in read_feed(stream, "shop"))


def into_store(feed: Path, folder: Path) -> Imported:
    return import_feed(folder, Order("shop", "feed"), [Part(feed.name, lambda: feed.open("rb"), feed.stat().st_size)])


def alone(what: str, feed: Path) -> dict[str, Any]:
    """In a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "benchmarks.feeds", what, str(feed)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return answer


def torment() -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.damage", str(DAMAGED), str(SEED), "huge"]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return answer


def store_alone(feed: Path) -> None:
    from benchmarks.damage import peak_mb

    with tempfile.TemporaryDirectory() as folder:
        into_store(write_feed(Path(folder) / "small.xml", 10), Path(folder) / "warm")  # what is loaded once
        began = time.process_time()
        first = into_store(feed, Path(folder))
        took_s = time.process_time() - began
        began, began_wall = time.process_time(), time.monotonic()
        again = into_store(feed, Path(folder))
        again_s, again_wall_s = time.process_time() - began, time.monotonic() - began_wall
    if (first.new, again.unchanged) != (OFFERS, OFFERS):
        raise AssertionError(f"expected {OFFERS} new, then unchanged offers; got {first} and {again}")
    answer = {"rate": OFFERS / took_s, "again_s": again_s, "again_wall_s": again_wall_s, "peak_mb": peak_mb()}
    print(json.dumps(answer))


if __name__ == "__main__":
    store_alone(Path(sys.argv[2]))
