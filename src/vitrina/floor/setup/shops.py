"""The shops that somebody set up: their cameras, and their layouts as versions with the moment they hold from."""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from vitrina.errors import InputError, NotFoundError
from vitrina.floor.layout import LIVE_SOURCES, CameraLayout, Layout, Shop
from vitrina.floor.setup import shoptext
from vitrina.floor.setup.address import HIDDEN, reveal
from vitrina.floor.setup.shopdiff import diff, same_geometry
from vitrina.floor.setup.shopfile import ShopFile, read_document
from vitrina.product import ShopClock, new_id
from vitrina.storage.audit import record
from vitrina.storage.database import Base
from vitrina.storage.secrets import SecretBox


class ShopRow(Base):
    """A shop. opens: by weekday `mon` … `sun`, a list of `HH:MM-HH:MM`; None when nobody said."""

    __tablename__ = "shops"

    slug: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    timezone: Mapped[str] = mapped_column(sa.String(64))
    currency: Mapped[str] = mapped_column(sa.String(3))
    day_starts: Mapped[str] = mapped_column(sa.String(5))
    opens: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column()


class CameraRow(Base):
    """What belongs to a camera whatever the layout.

    source: its address with `***` for every password. secrets: those passwords, sealed, in their order.
    chosen_input: the detector's input (height, width) that the camera chose by itself from its first pictures.
    """

    __tablename__ = "cameras"

    shop_slug: Mapped[str] = mapped_column(sa.ForeignKey(ShopRow.slug), primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    source: Mapped[str] = mapped_column(sa.Text)
    secrets: Mapped[str | None] = mapped_column(sa.Text)
    chosen_input: Mapped[list[int] | None] = mapped_column(sa.JSON(none_as_null=True))


class LayoutVersion(Base):
    """Plan, cameras, zones and lines, valid from a moment until the next version's.

    document: as in the shop file, with the calibration as the points that were clicked.
    """

    __tablename__ = "layouts"
    __table_args__ = (sa.Index(None, "shop_slug", "valid_from"),)

    layout_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    shop_slug: Mapped[str] = mapped_column(sa.ForeignKey(ShopRow.slug))
    valid_from: Mapped[datetime] = mapped_column()
    made_by: Mapped[str] = mapped_column(sa.String(100))
    document: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply` did. changes: as sentences, none when nothing changed. new_layout: past and new rows differ."""

    shop: Shop
    changes: tuple[str, ...]
    new_layout: bool


def list_shops(session: Session) -> list[ShopRow]:
    """Every shop, by slug."""
    return list(session.scalars(sa.select(ShopRow).order_by(ShopRow.slug)))


def list_layouts(session: Session, slug: str) -> list[LayoutVersion]:
    """Every version of a shop's layout, oldest first."""
    versions = sa.select(LayoutVersion).where(LayoutVersion.shop_slug == slug)
    return list(session.scalars(versions.order_by(LayoutVersion.valid_from, LayoutVersion.layout_id)))


def live_cameras(session: Session) -> dict[tuple[str, str], str]:
    """Shop and camera of everything that delivers all the time, with the edition of it.

    Another edition means that it must be opened anew: its layout, its shop's clock, its source or password changed.
    """
    found = {}
    for row in list_shops(session):
        version = _valid(list_layouts(session, row.slug), datetime.now(UTC))
        cameras = _cameras(session, row.slug)
        for slug in {camera["slug"] for camera in version.document["camera"]} & cameras.keys():
            camera = cameras[slug]
            if camera.source.startswith(LIVE_SOURCES):
                told = [
                    version.layout_id,
                    version.document,
                    row.timezone,
                    row.day_starts,
                    camera.source,
                    camera.secrets,
                ]
                text = json.dumps(told, sort_keys=True)
                found[row.slug, slug] = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return found


def load_shop(session: Session, slug: str, *, at: datetime | None = None) -> Shop:
    """The shop with the layout that is valid at a moment (now), or with its first one if that came later.

    Raises NotFoundError, with the slug that may have been meant.
    """
    row = session.get(ShopRow, slug)
    if row is None:
        raise _no_shop(session, slug)
    versions = list_layouts(session, slug)
    return _with_doors(_shop(row, _valid(versions, at or datetime.now(UTC)), _cameras(session, slug)), versions)


def on_day(session: Session, shop: Shop, day: date) -> Shop:
    """The shop with the layout that held when a business day of it ended: it made the day's rows."""
    end = ShopClock(shop.timezone, shop.day_starts).day_bounds(day)[1]
    return load_shop(session, shop.slug, at=end) if shop.layout.valid_from > end else shop


def load_shops(session: Session) -> list[Shop]:
    """Every shop with its newest layout, by slug, in three questions however many they are."""
    versions: dict[str, list[LayoutVersion]] = {}
    for version in session.scalars(
        sa.select(LayoutVersion).order_by(LayoutVersion.valid_from, LayoutVersion.layout_id)
    ):
        versions.setdefault(version.shop_slug, []).append(version)
    cameras: dict[str, dict[str, CameraRow]] = {}
    for camera in session.scalars(sa.select(CameraRow)):
        cameras.setdefault(camera.shop_slug, {})[camera.slug] = camera
    rows = list_shops(session)
    return [
        _with_doors(_shop(row, versions[row.slug][-1], cameras.get(row.slug, {})), versions[row.slug])
        for row in rows
        if row.slug in versions
    ]


def layout_changes(session: Session, slug: str) -> list[datetime]:
    """When each version of a shop's layout began, oldest first."""
    moments = sa.select(LayoutVersion.valid_from).where(LayoutVersion.shop_slug == slug)
    return list(session.scalars(moments.order_by(LayoutVersion.valid_from)))


def redrawn_since(session: Session, since: datetime) -> list[str]:
    """Slugs of the shops with a version of their layout that began then or later and was not their first."""
    versions = sa.select(LayoutVersion.shop_slug).group_by(LayoutVersion.shop_slug)
    return list(session.scalars(versions.having(sa.func.count() > 1, sa.func.max(LayoutVersion.valid_from) >= since)))


def load_version(session: Session, slug: str, layout_id: str) -> Shop:
    """The shop as it was under one version of its layout, or as it is when that version is gone."""
    row, version = session.get(ShopRow, slug), session.get(LayoutVersion, layout_id)
    if row is None or version is None or version.shop_slug != slug:
        return load_shop(session, slug)
    return _shop(row, version, _cameras(session, slug))


def layouts_of(session: Session, slug: str) -> tuple[Layout, ...]:
    """Every version of a shop's layout, oldest first."""
    return tuple(load_version(session, slug, version.layout_id).layout for version in list_layouts(session, slug))


def apply(session: Session, file: ShopFile, who: str, *, box: SecretBox, now: datetime | None = None) -> Applied:
    """Make the shop what the file says, in one transaction, with an audit record.

    A new layout version is made only when geometry changed; names and addresses are changed in place. A password
    that the file shows as `***` stays as it is stored.
    """
    at = now or datetime.now(UTC)
    old = load_shop(session, file.shop.slug) if session.get(ShopRow, file.shop.slug) else None
    changes = tuple(changes_of(session, file, box=box))
    new_layout = old is None or not same_geometry(old.layout, file.shop.layout)
    if old is not None and not changes:
        return Applied(old, (), new_layout=False)
    secrets = {camera.slug: _secrets(session, file, old, camera, box) for camera in file.shop.layout.cameras}
    _write_head(session, file.shop, at)
    _write_cameras(session, file.shop, secrets, box)
    _forget_inputs(session, old, file.shop)
    layout_id = new_id() if old is None or new_layout else old.layout.layout_id
    _write_layout(session, file.shop, layout_id, who, at)
    session.flush()
    new = load_shop(session, file.shop.slug, at=at)
    before = shoptext.document(old) if old else None
    record(session, who, "shop.apply", f"shop:{new.slug}", before, shoptext.document(new))
    return Applied(new, changes, new_layout)


def changes_of(session: Session, file: ShopFile, *, box: SecretBox) -> list[str]:
    """What `apply` would change, as sentences. Raises InputError where it would."""
    shop = file.shop
    old = load_shop(session, shop.slug) if session.get(ShopRow, shop.slug) else None
    sentences = diff(old, shop)
    for camera in shop.layout.cameras:
        stored = _stored_secrets(session, shop.slug, camera.slug, box)
        if _secrets(session, file, old, camera, box) != stored and old is not None and stored:
            whose = f"recorder {camera.channel[0]}" if camera.channel else f"camera {camera.slug}"
            sentences.append(f"{whose}: password changed")
    return list(dict.fromkeys(sentences))


def export(session: Session, slug: str) -> str:
    """The shop as the text of a shop file, with `***` for every password."""
    return shoptext.export(load_shop(session, slug))


def camera_source(session: Session, home: Path, slug: str, camera: str) -> str:
    """The address that opens the camera, with its passwords: hand it to the camera and to nothing that logs.

    home: where the key that sealed them lies.
    """
    row = session.get(CameraRow, (slug, camera))
    if row is None:
        raise NotFoundError(f"shop {slug} has no camera {camera!r}")
    return reveal(row.source, _stored_secrets(session, slug, camera, SecretBox(home))) if row.secrets else row.source


def chosen_input(session: Session, slug: str, camera: str) -> tuple[int, int] | None:
    """The detector's input (height, width) that the camera chose by itself; None before it did."""
    row = session.get(CameraRow, (slug, camera))
    return (row.chosen_input[0], row.chosen_input[1]) if row and row.chosen_input else None


def keep_input(session: Session, slug: str, camera: str, input_hw: tuple[int, int]) -> None:
    """Keep the input that the camera chose, so that it is chosen once."""
    row = session.get(CameraRow, (slug, camera))
    if row is None:
        raise NotFoundError(f"shop {slug} has no camera {camera!r}")
    row.chosen_input = list(input_hw)


def _valid(versions: list[LayoutVersion], at: datetime) -> LayoutVersion:
    """versions: oldest first. The newest that holds at a moment, or the first one if that came later."""
    valid = [version for version in versions if version.valid_from <= at]
    return (valid or versions[:1])[-1]


def _no_shop(session: Session, slug: str) -> NotFoundError:
    slugs = [row.slug for row in list_shops(session)]
    near = difflib.get_close_matches(slug, slugs, n=1)
    if near:
        return NotFoundError(f"there is no shop {slug!r}; did you mean {near[0]}?")
    known = f"there are {', '.join(slugs[:10])}" if slugs else "there is none yet: vitrina floor shop apply FILE"
    return NotFoundError(f"there is no shop {slug!r}; {known}")


def _cameras(session: Session, slug: str) -> dict[str, CameraRow]:
    return {row.slug: row for row in session.scalars(sa.select(CameraRow).where(CameraRow.shop_slug == slug))}


def _with_doors(shop: Shop, versions: list[LayoutVersion]) -> Shop:
    """With the entrance lines that only other versions of its layout have."""
    own = {line.slug for line in shop.layout.lines}
    lines = (line for version in versions for line in version.document.get("line", ()))
    others = {line["slug"] for line in lines if line["kind"] == "entrance"} - own
    return replace(shop, other_entrances=tuple(sorted(others)))


def _shop(row: ShopRow, version: LayoutVersion, cameras: dict[str, CameraRow]) -> Shop:
    head = {
        "slug": row.slug,
        "name": row.name,
        "timezone": row.timezone,
        "currency": row.currency,
        "day_starts": row.day_starts,
    }
    document = {"shop": head, **({"hours": row.opens} if row.opens else {}), **version.document}
    document["camera"] = [
        camera
        if "recorder" in camera
        else camera | {"source": cameras[camera["slug"]].source if camera["slug"] in cameras else "removed"}
        for camera in version.document["camera"]
    ]
    return read_document(
        document, name=f"shop {row.slug}", layout_id=version.layout_id, valid_from=version.valid_from
    ).shop


def _write_head(session: Session, shop: Shop, at: datetime) -> None:
    document = shoptext.document(shop)
    row = session.get(ShopRow, shop.slug)
    if row is None:
        row = ShopRow(slug=shop.slug, created_at=at)
        session.add(row)
    row.name, row.timezone, row.currency = shop.name, shop.timezone, shop.currency
    row.day_starts, row.opens = document["shop"]["day_starts"], document.get("hours")
    session.flush()


def _write_cameras(session: Session, shop: Shop, secrets: dict[str, tuple[str, ...]], box: SecretBox) -> None:
    rows = _cameras(session, shop.slug)
    for slug in rows.keys() - secrets.keys():
        session.delete(rows[slug])
    for camera in shop.layout.cameras:
        row = rows.get(camera.slug) or CameraRow(shop_slug=shop.slug, slug=camera.slug)
        row.name, row.source = camera.name, camera.source
        sealed = secrets[camera.slug]
        row.secrets = box.seal(json.dumps(sealed)) if sealed else None
        session.add(row)


def _forget_inputs(session: Session, old: Shop | None, new: Shop) -> None:
    """A camera whose picture has another size now chooses its detector's input again."""
    for camera in new.layout.cameras:
        before = old.layout.camera(camera.slug) if old else None
        row = session.get(CameraRow, (new.slug, camera.slug))
        if row is not None and before is not None and before.size_wh != camera.size_wh:
            row.chosen_input = None


def _write_layout(session: Session, shop: Shop, layout_id: str, who: str, at: datetime) -> None:
    """Add a version, or write what may change into the one that is there: everything but geometry."""
    document = shoptext.layout_document(shop.layout)
    for camera in document["camera"]:
        camera.pop("source", None)
    version = session.get(LayoutVersion, layout_id)
    if version is None:
        session.add(
            LayoutVersion(layout_id=layout_id, shop_slug=shop.slug, valid_from=at, made_by=who, document=document)
        )
    else:
        version.document = document


def _secrets(
    session: Session, file: ShopFile, old: Shop | None, camera: CameraLayout, box: SecretBox
) -> tuple[str, ...]:
    """The passwords to keep for a camera: the file's, and where it has `***` the stored one.

    A recorder's password is stored with each of its cameras, so that a further one finds it with the others.
    """
    given = file.secrets.get(camera.slug, ())
    if HIDDEN not in given:
        return given
    for slug in _sharing(old, camera):
        stored = _stored_secrets(session, file.shop.slug, slug, box)
        if len(stored) == len(given):
            return tuple(kept if new == HIDDEN else new for kept, new in zip(stored, given, strict=True))
    raise InputError(
        f"camera {camera.slug}: its address {camera.source} has {HIDDEN} for a password that is not stored. "
        "Write the password once; it is kept encrypted, and exports show it as ***."
    )


def _sharing(old: Shop | None, camera: CameraLayout) -> list[str]:
    """The cameras whose stored password is this one's: itself, or those that hang on the same recorder."""
    if camera.channel is None or old is None:
        return [camera.slug]
    return [one.slug for one in old.layout.cameras if one.channel and one.channel[0] == camera.channel[0]]


def _stored_secrets(session: Session, slug: str, camera: str, box: SecretBox) -> tuple[str, ...]:
    row = session.get(CameraRow, (slug, camera))
    return tuple(json.loads(box.open(row.secrets))) if row and row.secrets else ()
