"""The catalog as shoppers ask it: a photo, a box, some words in; products with prices after cashback out.

catalog = Catalog(settings, database)
found = catalog.find(Path("sneakers.jpg").read_bytes(), text="in red", where=Wishes(max_price=Money(8000, "EUR")))
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError, NotFoundError
from vitrina.lens import pictures, store, words
from vitrina.lens.calibration import Scored, facts_of, scored_of
from vitrina.lens.crop import Rgb, cut, to_fractions
from vitrina.lens.embed import Look, look
from vitrina.lens.found import BoxFractions, Found, FoundOffer, FoundProduct
from vitrina.lens.geometry import agreeing, corners
from vitrina.lens.index import Filter, Hit, Index, split_entry
from vitrina.lens.indexing.client import index_of
from vitrina.lens.likeness import Likeness
from vitrina.lens.offer import Offer
from vitrina.lens.photo import read_photo
from vitrina.lens.rank import NO_WISHES, Wishes, after_cashback, order_offers, split
from vitrina.lens.shops import list_shops
from vitrina.lens.sync import indexed_model
from vitrina.lens.terms import Terms
from vitrina.models.embedder import Embedder
from vitrina.models.library import find_model
from vitrina.models.manifest import IMAGE_EMBEDDER, Model
from vitrina.models.registry import running_model
from vitrina.product import new_id
from vitrina.settings import Settings
from vitrina.storage.database import Database

NEIGHBOURS = 60
"""Entries that are looked at for each crop; a picture has two or three of them in each shop."""

WITH_WORDS = 300
"""So many where words narrow the search."""

CHECKED = 12
"""Candidates of a photo with a box that are checked by geometry, at 5 ms each; the right one is nearly always there."""

CONFIRMED = 10
"""Corners that must agree before two pictures are said to show the very same thing."""

CERTAIN = 0.99
"""Likeness of what geometry has confirmed, at least."""

OTHER_BOXES = 3
FRESH_S = 10.0
"""Terms and shops are read again after so long."""

OpenIndex: TypeAlias = Callable[[Settings, str], Index]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A picture that was found. score: for ranking and likeness. crop: the one of the photo that shows it best."""

    sha256: str
    score: float
    crop: int
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class _Around:
    """What the database says, as it was some seconds ago at most."""

    terms: Terms
    names: Mapping[str, str]
    countries: Mapping[str, Sequence[str]]
    at: float


class Catalog:
    """Safe for several threads. Embedder and index are opened by the first search."""

    def __init__(self, settings: Settings, database: Database, *, open_index: OpenIndex = index_of) -> None:
        self._settings, self._database, self._open_index = settings, database, open_index
        self._lock = threading.Lock()
        self._opened: tuple[Embedder, Index, Callable[[bool], Likeness]] | None = None
        self._around: _Around | None = None

    def find(
        self,
        photo: bytes | Rgb | None = None,
        *,
        box: BoxFractions | None = None,
        text: str = "",
        where: Wishes = NO_WISHES,
        limit: int = 10,
        everything: bool = False,
    ) -> Found:
        """Products like what the photo shows (in the box, where one is given), narrowed by words and wishes.

        photo: the file as it was sent, or (H, W, 3) RGB. everything: show what is not alike too, to measure the order
        that products come in. Without a photo, products by words alone, as similar ones.
        Raises InputError for what is no picture, and where neither photo nor words are given.
        """
        began = time.thread_time()
        if photo is None and not words.terms(text):
            raise InputError("find: expected a photo, or words that say what to look for")
        with self._catalog() as catalog:
            if photo is None:
                return self._by_words(catalog, text, where, limit, began)
            rgb = read_photo(photo) if isinstance(photo, bytes) else photo
            embedder, index, likeness = self._open(catalog)
            seen = look(embedder, rgb, box)
            hits = index.search(seen.vectors, WITH_WORDS if text else NEIGHBOURS, _filter(where))
            candidates = self._confirmed(rgb, seen, _candidates(seen, hits))
            products = self._products(catalog, candidates, likeness(seen.boxed), where, text)
            exact, similar = split(products, limit=limit, everything=everything)
        best, *others = _boxes(rgb, seen, candidates)
        nearest = next((one.category[0] for one in products if one.category), "")
        cpu_ms = 1000 * (time.thread_time() - began)
        return Found(new_id(), exact, similar, box or best, tuple(others), cpu_ms, nearest)

    def scores(self, photo: bytes, *, box: BoxFractions | None = None) -> list[Scored]:
        """The nearest products by score alone, best first: what likeness is fitted for."""
        with self._catalog() as catalog:
            embedder, index, _ = self._open(catalog)
            seen = look(embedder, read_photo(photo), box)
            found = {one.sha256: one.score for one in _candidates(seen, index.search(seen.vectors, NEIGHBOURS))}
            shown = store.offers_with_pictures(catalog, found)
            product_of = products_of(catalog, [one.offer_key for one in shown])
            best: dict[str, float] = defaultdict(lambda: -1.0)
            for one in shown:
                name = product_of[one.offer_key]
                best[name] = max(best[name], found[one.sha256])
            _, members = _members(catalog, list(best))
        scored = [scored_of(members[name], score) for name, score in best.items() if members[name]]
        return sorted(scored, key=lambda one: -one.score)

    def model(self) -> Model:
        """The embedder that searches use now."""
        with self._catalog() as catalog:
            return self._open(catalog)[0].model

    def product(self, product_id: str) -> FoundProduct:
        """A product with all its live offers. Raises NotFoundError."""
        with self._catalog() as catalog:
            found = self._with_offers(catalog, {product_id: (0.0, 0.0, "")}, NO_WISHES)
        if not found:
            raise NotFoundError(f"there is no product {product_id!r}, or no shop has it any more")
        return found[0]

    @contextmanager
    def _catalog(self) -> Iterator[sqlite3.Connection]:
        path = self._settings.lens / "catalog.db"
        if not path.exists():
            raise NotFoundError("there is no catalog yet: vitrina lens import FEED --shop NAME, then vitrina lens sync")
        with closing(store.open_catalog(path)) as catalog:
            yield catalog

    def _open(self, catalog: sqlite3.Connection) -> tuple[Embedder, Index, Callable[[bool], Likeness]]:
        """Of the promoted embedder once its index is complete, until then of the one before it."""
        with self._database.reading() as session:
            promoted = running_model(session, self._settings.home, IMAGE_EMBEDDER)
        name = indexed_model(catalog, promoted.name)
        with self._lock:
            if self._opened is None or self._opened[0].name != name:
                model = promoted if promoted.name == name else find_model(self._settings.home, name)
                index = self._open_index(self._settings, name)
                self._opened = Embedder(model), index, _likeness(model, self._settings.lens)
            return self._opened

    def _now_around(self) -> _Around:
        around = self._around
        if around is None or time.monotonic() - around.at > FRESH_S:
            with self._database.reading() as session:
                shops = [shop for shop in list_shops(session) if shop.active]
                around = _Around(
                    Terms.load(session),
                    {shop.slug: shop.name for shop in shops},
                    {shop.slug: tuple(shop.countries) for shop in shops},
                    time.monotonic(),
                )
            self._around = around
        return around

    def _confirmed(self, rgb: Rgb, seen: Look, candidates: list[_Candidate]) -> list[_Candidate]:
        """With a box, what geometry says is the very same thing goes first; without one, clutter would match too."""
        if not seen.boxed:
            return candidates
        query = corners(cut(rgb, seen.boxes_xyxy[0]))
        checked = []
        for one in candidates[:CHECKED]:
            try:
                kept = pictures.read_thumbnail(self._settings.lens, one.sha256)
            except InputError:  # it was cleared away; the next sync fetches it again
                kept = None
            agree = agreeing(query, corners(kept)) if kept is not None else 0
            checked.append((agree if agree >= CONFIRMED else 0, one))
        checked.sort(key=lambda pair: (-pair[0], -pair[1].score))
        sure = [_Candidate(one.sha256, one.score, one.crop, agree > 0) for agree, one in checked]
        return [*sure, *candidates[CHECKED:]]

    def _products(
        self,
        catalog: sqlite3.Connection,
        candidates: Sequence[_Candidate],
        likeness: Likeness,
        where: Wishes,
        text: str,
    ) -> list[FoundProduct]:
        shown: dict[str, list[tuple[int, Offer]]] = defaultdict(list)
        for each in store.offers_with_pictures(catalog, (one.sha256 for one in candidates)):
            shown[each.sha256].append((each.offer_key, each.offer))
        product_of = products_of(catalog, [key for some in shown.values() for key, _ in some])
        best: dict[str, float] = {}
        for one in candidates:
            for key, _ in shown.get(one.sha256, ()):
                best[product_of[key]] = max(best.get(product_of[key], -1.0), one.score)
        first, second = [*sorted(best.values(), reverse=True), 0.0, 0.0][:2]
        ranked: dict[str, tuple[float, float, str]] = {}
        keys: dict[str, list[int]] = defaultdict(list)
        for one in candidates:
            ahead = one.score - (second if one.score == first else first)
            same, kind = likeness.same(one.score, ahead), likeness.kind(one.score)
            same = max(same, CERTAIN) if one.is_confirmed else same
            for key, _ in shown.get(one.sha256, ()):
                ranked.setdefault(product_of[key], (same, max(kind, same), one.sha256))
                keys[product_of[key]].append(key)
        if text:
            ranked = _narrowed(
                ranked, keys, words.matching(catalog, text, [key for some in keys.values() for key in some])
            )
        return self._with_offers(catalog, ranked, where)

    def _by_words(self, catalog: sqlite3.Connection, text: str, where: Wishes, limit: int, began: float) -> Found:
        keys = words.search(catalog, text, limit=WITH_WORDS)
        product_of = products_of(catalog, keys)
        ranked = dict.fromkeys((product_of[key] for key in keys), (0.0, 1.0, ""))
        _, similar = split(self._with_offers(catalog, ranked, where), limit=limit)
        return Found(new_id(), (), similar, (0.0, 0.0, 1.0, 1.0), (), 1000 * (time.thread_time() - began))

    def _with_offers(
        self, catalog: sqlite3.Connection, ranked: Mapping[str, tuple[float, float, str]], where: Wishes
    ) -> list[FoundProduct]:
        """Products in the order of `ranked` (likeness, kind, picture), each with the offers that fit the wishes."""
        around, today = self._now_around(), datetime.now(UTC).date()
        reasons, members = _members(catalog, list(ranked))
        found = []
        for product_id, (same, kind, picture) in ranked.items():
            offers = [
                offer
                for offer in members.get(product_id, ())
                if offer.shop in around.names and where.takes(offer, around.countries[offer.shop])
            ]
            if not offers:
                continue
            told = order_offers((_told(offer, around, today) for offer in offers), where.in_currency)
            first = next(offer for offer in offers if (offer.shop, offer.offer_id) == (told[0].shop, told[0].offer_id))
            picture = picture or _first_picture(catalog, first)
            found.append(
                FoundProduct(product_id, first.name, first.brand, first.category, picture, same, kind, told,
                             reasons.get(product_id, "") if len(told) > 1 else "")
            )  # fmt: skip
        return found


def _likeness(model: Model, folder: Path) -> Callable[[bool], Likeness]:
    """For a photo with a box (True) or without one; what was fitted here goes first."""
    facts = facts_of(folder, model.name, model.likeness)
    curves = {boxed: Likeness.of(facts, boxed=boxed) for boxed in (False, True)}
    return curves.__getitem__


def _filter(where: Wishes) -> Filter:
    return Filter(
        shops=where.shops,
        categories=where.categories,
        min_price_minor=where.min_price.minor if where.min_price else None,
        max_price_minor=where.max_price.minor if where.max_price else None,
        currency=where.in_currency if where.min_price or where.max_price else "",
        available=True if where.in_stock_only else None,
    )


def _candidates(seen: Look, hits: Sequence[Sequence[Hit]]) -> list[_Candidate]:
    """Pictures, best first. One that a crop's neighbours do not hold gets the cosine of that crop's last neighbour."""
    last = np.array([some[-1].score if some else 0.0 for some in hits], np.float32)
    cosines: dict[str, NDArray[np.float32]] = {}
    for crop, some in enumerate(hits):
        for hit in some:
            sha256 = split_entry(hit.entry_id)[0]
            column = cosines.setdefault(sha256, last.copy())
            column[crop] = max(column[crop], hit.score)
    if not cosines:
        return []
    table = np.stack(list(cosines.values()), axis=1)
    scores, crops = seen.score(table), seen.meant(table)
    order = np.argsort(-scores, kind="stable")
    names = list(cosines)
    return [_Candidate(names[place], float(scores[place]), int(crops[place])) for place in order.tolist()]


def _narrowed(
    ranked: Mapping[str, tuple[float, float, str]], keys: Mapping[str, Sequence[int]], places: Mapping[int, int]
) -> dict[str, tuple[float, float, str]]:
    """Only products with the words, by both rankings together; all of them where none has the words."""
    by_words: dict[str, int] = {}
    for product_id, some in keys.items():
        if matched := [places[key] for key in some if key in places]:
            by_words[product_id] = min(matched)
    if not by_words:
        return dict(ranked)
    by_picture = [product_id for product_id in ranked if product_id in by_words]
    return {name: ranked[name] for name in words.fuse(by_picture, sorted(by_words, key=lambda one: by_words[one]))}


def products_of(catalog: sqlite3.Connection, offer_keys: Sequence[int]) -> dict[int, str]:
    """Offer → product; an offer that came after the last sync is a product of its own."""
    found = {key: f"offer-{key}" for key in offer_keys}
    for first in range(0, len(offer_keys), store.AT_ONCE):
        some = list(offer_keys[first : first + store.AT_ONCE])
        marks = ",".join("?" * len(some))
        rows = catalog.execute(f"SELECT offer_key, product_id FROM products WHERE offer_key IN ({marks})", some)  # noqa: S608
        found.update({row[0]: row[1] for row in rows})
    return found


def _members(catalog: sqlite3.Connection, product_ids: Sequence[str]) -> tuple[dict[str, str], dict[str, list[Offer]]]:
    """Reason of each product, and its live offers."""
    reasons: dict[str, str] = {}
    of_key: dict[int, str] = {
        int(name.removeprefix("offer-")): name for name in product_ids if name.removeprefix("offer-").isdecimal()
    }
    for first in range(0, len(product_ids), store.AT_ONCE):
        some = list(product_ids[first : first + store.AT_ONCE])
        marks = ",".join("?" * len(some))
        for row in catalog.execute(f"SELECT * FROM products WHERE product_id IN ({marks})", some):  # noqa: S608
            of_key[row["offer_key"]], reasons[row["product_id"]] = row["product_id"], row["reason"]
    members: dict[str, list[Offer]] = defaultdict(list)
    for key, offer in store.offers_by_key(catalog, of_key).items():
        members[of_key[key]].append(offer)
    return reasons, members


def _told(offer: Offer, around: _Around, today: object) -> FoundOffer:
    cashback = around.terms.cashback(offer.shop, offer.category, offer.price, today)  # type: ignore[arg-type]
    return FoundOffer(
        shop=offer.shop,
        shop_name=around.names[offer.shop],
        offer_id=offer.offer_id,
        name=offer.name,
        price=offer.price,
        old_price=offer.old_price,
        cashback=cashback,
        after=after_cashback(offer.price, cashback),
        available=offer.available,
    )


def _first_picture(catalog: sqlite3.Connection, offer: Offer) -> str:
    row = catalog.execute(
        "SELECT sha256 FROM offers JOIN offer_pictures USING(offer_key) JOIN pictures USING(picture_key)"
        " WHERE shop = ? AND offer_id = ? AND sha256 IS NOT NULL ORDER BY position LIMIT 1",
        (offer.shop, offer.offer_id),
    ).fetchone()
    return row[0] if row else ""


def _boxes(rgb: Rgb, seen: Look, candidates: Sequence[_Candidate]) -> list[BoxFractions]:
    """The crop that shows the first candidate, then those that show others best; without any, the first crop."""
    size_wh = rgb.shape[1], rgb.shape[0]
    crops = list(dict.fromkeys([one.crop for one in candidates[:20]])) or [0]
    return [to_fractions(seen.boxes_xyxy[crop], size_wh) for crop in crops[: 1 + OTHER_BOXES]]
