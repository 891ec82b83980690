"""The simulated shops as files: a feed and its pictures for each, and photos to try."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from vitrina.lens.demo.assortment import SHOPS, listings, picture_name, stocked
from vitrina.lens.demo.design import Design, make_designs
from vitrina.lens.demo.drawing import draw
from vitrina.lens.demo.feedtext import BROKEN, feed_text, file_name
from vitrina.lens.demo.studio import Placed, shop_picture, snapshot, to_jpeg
from vitrina.work.spread import spread

PRODUCTS = 2100
TOGETHER = 50
"""Products that one worker draws at a time."""

SAMPLES = ("sneakers", "dress", "T-shirt", "backpack", "jacket")
PHOTO_SIZE = 800
PHOTO_QUALITY = 82

_TELLING = frozenset({"stripes", "checks", "dots", "flowers", "chevron", "triangles", "diagonal"})
_POSES = (
    (0.52, 0.5, 0.7, 9.0),
    (0.5, 0.48, 0.62, -5.0),
    (0.52, 0.46, 0.76, 7.0),
    (0.5, 0.48, 0.7, -8.0),
    (0.5, 0.42, 0.74, 6.0),
)
"""Of each sample: where its product is, how wide, how turned."""

_BESIDE = {1: "handbag", 4: "sneakers"}
"""What else lies in a sample."""

_KNOWN_BY_CODE = frozenset(shop.slug for shop in SHOPS if shop.knows_code)
_DONE = "complete"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some products for one worker, and the shops that show each of them."""

    folder: Path
    designs: tuple[Design, ...]
    slugs: tuple[tuple[str, ...], ...]


def write_shops(
    folder: Path,
    *,
    products: int = PRODUCTS,
    seed: int = 1,
    workers: int = 1,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> None:
    """Feeds, pictures and sample photos below the folder; nothing where all of them are there already."""
    if (folder / _DONE).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    designs = make_designs(products, seed=seed)
    sold = stocked(designs, seed=seed)
    where = _where(sold)
    for shop in SHOPS:
        (folder / shop.slug / "pictures").mkdir(parents=True, mode=0o700)
    _write_samples(folder / "samples", designs, where)
    some = (designs[first : first + TOGETHER] for first in range(0, len(designs), TOGETHER))
    batches = [Batch(folder, tuple(part), tuple(where[one.number] for one in part)) for part in some]
    done = 0
    for count in spread(_draw_batch, batches, workers=workers):
        done += count
        on_progress(done, len(designs))
    for shop in SHOPS:
        text = feed_text(shop, list(listings(shop, sold[shop.slug], seed=seed)))
        (folder / shop.slug / file_name(shop)).write_text(text, encoding="utf-8")
        (folder / shop.slug / BROKEN).write_text("<!doctype html><title>Not found</title>", encoding="utf-8")
    (folder / _DONE).touch()


def _draw_batch(batch: Batch) -> int:
    cv2.setNumThreads(1)  # there are as many workers as cores
    studios = {shop.slug: shop.studio for shop in SHOPS}
    for design, slugs in zip(batch.designs, batch.slugs, strict=True):
        product = draw(design)
        for slug in slugs:
            picture = shop_picture(product, studios[slug], [design.number])
            path = batch.folder / slug / picture_name(design)
            path.write_bytes(to_jpeg(picture, studios[slug].quality))
    return len(batch.designs)


def _write_samples(folder: Path, designs: Sequence[Design], where: Mapping[int, Sequence[str]]) -> None:
    """Photos of products that several shops sell; beside some of them lies another one."""
    folder.mkdir(parents=True, mode=0o700)
    for number, kind in enumerate(SAMPLES):
        design = _one_of(kind, designs, where)
        if design is None:  # so few products are made in tests only
            continue
        x, y, wide, turn = _POSES[number]
        things = [Placed(draw(design, size=PHOTO_SIZE), x, y, wide, turn)]
        beside = _one_of(_BESIDE.get(number, ""), designs, where)
        if beside is not None:
            things.insert(0, Placed(draw(beside, size=PHOTO_SIZE), 0.27, 0.86, 0.42, -9.0))
        photo = to_jpeg(snapshot(things, seed=number), PHOTO_QUALITY)
        (folder / f"{number + 1}-{kind.lower()}.jpg").write_bytes(photo)


def _one_of(kind: str, designs: Sequence[Design], where: Mapping[int, Sequence[str]]) -> Design | None:
    """The first that several shops say enough about to be one product, with something to be recognised by."""
    fitting = (one for one in designs if one.kind == kind and one.cloth in _TELLING)
    return next((one for one in fitting if len(set(where[one.number]) & _KNOWN_BY_CODE) > 2), None)


def _where(sold: Mapping[str, Sequence[Design]]) -> dict[int, tuple[str, ...]]:
    """Number of a design → the shops that sell it."""
    found: dict[int, tuple[str, ...]] = {}
    for slug, some in sold.items():
        for design in some:
            found[design.number] = (*found.get(design.number, ()), slug)
    return found
