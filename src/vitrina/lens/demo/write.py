"""The demo's feeds and pictures as files: YML and Google's forms, with the mistakes that real feeds have."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import cv2
import numpy as np

from vitrina.lens.demo.draw import draw, photo
from vitrina.lens.demo.goods import SHOPS, Good, make_goods
from vitrina.lens.demo.shapes import SHAPES

COUNT = 2000
SEED = 1
SAMPLES = 5
FORMS = ("yml", "google", "yml", "tsv", "google")
"""How each of the shops writes its feed."""

QUALITY = 88
NOWHERE = "https://shop.example/"
SAID = "Simulated: drawn by a program, sold by nobody."


def slug(shop: int) -> str:
    return SHOPS[shop].lower().replace(" & ", "-").replace(" ", "-")


def write_demo(
    folder: Path, *, count: int = COUNT, seed: int = SEED, on_progress: Callable[[int, int], None] = lambda _d, _a: None
) -> list[tuple[str, Path]]:
    """Feeds with their pictures below `folder`, and sample photos in `folder`/samples; gives (shop's name, feed)."""
    goods = make_goods(count, seed=seed)
    feeds = []
    done, all_ = 0, sum(len(good.shops) for good in goods)
    for shop, name in enumerate(SHOPS):
        place = folder / slug(shop)
        (place / "pictures").mkdir(parents=True, exist_ok=True)
        sold = [good for good in goods if shop in good.shops]
        for good in sold:
            _save(place / _picture(good), draw(good, shop))
            done += 1
            on_progress(done, all_)
        feeds.append((f"{name} (simulated)", _write_feed(place, shop, sold)))
    (folder / "samples").mkdir(exist_ok=True)
    several = [good for good in goods if len(good.shops) > 1]
    for number in range(min(SAMPLES, len(several))):
        good = several[number * len(several) // SAMPLES]
        _save(folder / "samples" / f"photo-{number + 1}.jpg", photo(good, seed))
    return feeds


def _save(path: Path, picture_rgb: np.ndarray) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def _picture(good: Good) -> str:
    return f"pictures/{good.number:05d}.jpg"


def _price(good: Good, shop: int) -> str:
    """Shops differ by some percent."""
    return f"{round(good.price_minor * (1 + 0.04 * ((good.number + 3 * shop) % 5 - 2))) / 100:.2f}"


def _write_feed(place: Path, shop: int, sold: Sequence[Good]) -> Path:
    match FORMS[shop]:
        case "yml":
            return _write_yml(place / "feed.xml", shop, sold)
        case "google":
            return _write_google(place / "feed.xml", shop, sold)
    return _write_table(place / "feed.tsv", shop, sold)


def _write_yml(path: Path, shop: int, sold: Sequence[Good]) -> Path:
    kinds = sorted({SHAPES[good.shape].category for good in sold})
    roots = {name: number + 1 for number, name in enumerate(sorted({kind[0] for kind in kinds}))}
    leaves = {kind: number + 101 for number, kind in enumerate(kinds)}
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<yml_catalog date="{datetime(2026, 3, 2, 9, tzinfo=UTC).isoformat()}"><shop>',
        f"<name>{escape(SHOPS[shop])} (simulated)</name><url>{NOWHERE}</url>",
        '<currencies><currency id="EUR" rate="1"/></currencies><categories>',
        *(f'<category id="{number}">{name}</category>' for name, number in roots.items()),
        *(f'<category id="{n}" parentId="{roots[kind[0]]}">{kind[1]}</category>' for kind, n in leaves.items()),
        "</categories><offers>",
    ]
    for good in sold:
        available = "false" if good.number % 17 == 3 else "true"
        twice = f"<available>{available}</available>" if good.number % 5 == 0 else ""
        price = "" if good.number % 251 == 7 else f"<price>{_price(good, shop)}</price>"
        barcode = good.gtin if good.number % 29 else good.gtin[:-1] + str((int(good.gtin[-1]) + 1) % 10)
        lines.append(
            f"<offer id={quoteattr(f'{shop}-{good.number}')} available={quoteattr(available)}>{twice}"
            f"<url>{NOWHERE}{slug(shop)}/{good.number}</url>{price}<currencyId>EUR</currencyId>"
            f"<categoryId>{leaves[SHAPES[good.shape].category]}</categoryId><picture>{_picture(good)}</picture>"
            f"<name>{escape(good.name)}</name><vendor>{escape(good.brand)}</vendor>"
            f"<vendorCode>{good.vendor_code}</vendorCode><barcode>{barcode}</barcode>"
            f"<description>{SAID}</description>"
            f'<param name="Color">{good.colour}{" (Pre-order)" if good.number % 41 == 5 else ""}</param>'
            f'<param name="Material">{good.material}</param>'
            f'<param name="Size">{"/".join(SHAPES[good.shape].sizes)}</param></offer>'
        )
    lines.append("</offers></shop></yml_catalog>")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _google_row(good: Good, shop: int) -> dict[str, str]:
    stock = "out_of_stock" if good.number % 19 == 4 else "in_stock"
    return {
        "id": f"{shop}-{good.number}",
        "title": good.name,
        "description": SAID,
        "link": f"{NOWHERE}{slug(shop)}/{good.number}",
        "image_link": _picture(good),
        "availability": stock if good.number % 7 else stock.replace("_", " "),
        "price": "" if good.number % 233 == 9 else f"{_price(good, shop)} EUR",
        "brand": good.brand,
        "gtin": good.gtin if good.number % 31 else "",
        "mpn": good.vendor_code,
        "product_type": " > ".join(SHAPES[good.shape].category),
        "color": good.colour,
        "material": good.material,
        "size": SHAPES[good.shape].sizes[0],
    }


def _write_google(path: Path, shop: int, sold: Sequence[Good]) -> Path:
    lines = [
        '<?xml version="1.0"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>',
        f"<title>{escape(SHOPS[shop])} (simulated)</title><link>{NOWHERE}</link>",
    ]
    for good in sold:
        told = _google_row(good, shop).items()
        lines.append(
            "<item>" + "".join(f"<g:{name}>{escape(value)}</g:{name}>" for name, value in told if value) + "</item>"
        )
    lines.append("</channel></rss>")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _write_table(path: Path, shop: int, sold: Sequence[Good]) -> Path:
    rows = [_google_row(good, shop) for good in sold]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return path
