from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from vitrina.errors import InputError, NotFoundError
from vitrina.floor.setup import shops
from vitrina.floor.setup.shopfile import ShopFile, parse
from vitrina.floor.setup.shops import CameraRow, apply
from vitrina.floor.setup.shoptext import export
from vitrina.storage import audit
from vitrina.storage.database import Database
from vitrina.storage.secrets import SecretBox

MONDAY = datetime(2026, 11, 16, 8, tzinfo=UTC)
TEXT = """\
[shop]
slug = "riga-1"
timezone = "Europe/Riga"
currency = "EUR"
[plan]
width_m = 12
height_m = 8
[[camera]]
slug = "door"
source = "rtsp://root:pa55@10.0.0.7/live"
size = [1280, 720]
points = [[220, 660, 3, 7], [1060, 660, 7, 7], [400, 300, 3, 3], [880, 300, 7, 3]]
[[zone]]
slug = "shoes"
kind = "section"
polygon = [[3, 2], [7, 2], [7, 4]]
"""


def file(*changes: tuple[str, str]) -> ShopFile:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse(text)


MOVED = ("[7, 4]]", "[7, 5]]")


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.session() as session:
        yield session


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    return SecretBox(tmp_path)


def test_what_was_applied_is_loaded_and_exported(session: Session, box: SecretBox) -> None:
    applied = apply(session, file(), "cli:ann", box=box, now=MONDAY)

    assert applied.new_layout
    assert applied.changes == ("shop riga-1: new, with 1 camera, 1 zone, 0 lines",)
    assert applied.shop == shops.load_shop(session, "riga-1")
    assert shops.export(session, "riga-1") == export(file().shop)
    assert [row.slug for row in shops.list_shops(session)] == ["riga-1"]


def test_moving_a_zone_makes_a_version_that_holds_from_now_and_leaves_the_past(
    session: Session, box: SecretBox
) -> None:
    first = apply(session, file(), "cli:ann", box=box, now=MONDAY).shop
    second = apply(session, file(MOVED), "cli:ann", box=box, now=MONDAY + timedelta(days=1))

    assert second.new_layout
    assert second.changes == ("zone shoes: polygon moved",)
    assert second.shop.layout.layout_id > first.layout.layout_id
    assert shops.load_shop(session, "riga-1", at=MONDAY + timedelta(hours=1)) == first
    assert shops.load_shop(session, "riga-1", at=MONDAY - timedelta(days=9)) == first
    assert shops.load_shop(session, "riga-1", at=MONDAY + timedelta(days=1)) == second.shop
    assert [version.valid_from for version in shops.list_layouts(session, "riga-1")] == [
        MONDAY,
        MONDAY + timedelta(days=1),
    ]


def test_entrances_of_other_versions_are_known_beside_ones_own(session: Session, box: SecretBox) -> None:
    line = '[[line]]\nslug = "{}"\nkind = "entrance"\na = [3, 6]\nb = [7, 6]\n'
    for hours, slug in enumerate(("old-door", "new-door")):
        apply(session, parse(TEXT + line.format(slug)), "cli:anna", box=box, now=MONDAY + timedelta(hours=hours))

    now, then = (shops.load_shop(session, "riga-1", at=MONDAY + timedelta(hours=hours)) for hours in (1, 0))

    assert (now.other_entrances, now.entrances) == (("old-door",), ("new-door", "old-door"))
    assert then.entrances == ("old-door", "new-door")
    assert shops.load_shops(session) == [now]


def test_a_new_name_changes_the_version_in_place(session: Session, box: SecretBox) -> None:
    first = apply(session, file(), "cli:ann", box=box, now=MONDAY).shop
    renamed = file(
        ('slug = "shoes"', 'slug = "shoes"\nname = "Schuhe"'), ('slug = "riga-1"', 'slug = "riga-1"\nname = "R"')
    )

    second = apply(session, renamed, "cli:ann", box=box, now=MONDAY + timedelta(days=1))

    assert not second.new_layout
    assert second.changes == ("shop: name riga-1 → R", "zone shoes: name shoes → Schuhe")
    assert second.shop.layout.layout_id == first.layout.layout_id
    assert second.shop.layout.valid_from == MONDAY
    assert shops.load_shop(session, "riga-1").layout.zones[0].name == "Schuhe"


def test_applying_twice_changes_nothing_and_is_not_audited_twice(session: Session, box: SecretBox) -> None:
    apply(session, file(), "cli:ann", box=box)

    again = apply(session, file(), "cli:ann", box=box)

    assert (again.changes, again.new_layout) == ((), False)
    assert len(audit.entries(session)) == 1


def test_every_change_is_audited_without_a_password(session: Session, box: SecretBox) -> None:
    apply(session, file(), "cli:ann", box=box)
    apply(session, file(MOVED), "cli:bob", box=box)

    newest, oldest = audit.entries(session, object="shop:riga-1")

    assert (newest.who, newest.action, oldest.before) == ("cli:bob", "shop.apply", None)
    assert newest.before is not None
    assert newest.before["zone"][0]["polygon"][2] == [7, 4]
    assert "pa55" not in f"{newest.before}{newest.after}{oldest.after}"


def test_a_cameras_password_is_sealed_and_only_the_camera_gets_it(
    session: Session, box: SecretBox, tmp_path: Path
) -> None:
    apply(session, file(), "cli:ann", box=box)

    row = session.scalars(sa.select(CameraRow)).one()

    assert row.source == "rtsp://root:***@10.0.0.7/live"
    assert "pa55" not in str(row.secrets)
    assert shops.camera_source(session, tmp_path, "riga-1", "door") == "rtsp://root:pa55@10.0.0.7/live"
    with pytest.raises(NotFoundError, match="has no camera 'till'"):
        shops.camera_source(session, tmp_path, "riga-1", "till")


def test_an_exported_file_keeps_the_password_that_is_stored(session: Session, box: SecretBox, tmp_path: Path) -> None:
    apply(session, file(), "cli:ann", box=box)

    again = apply(session, parse(shops.export(session, "riga-1")), "cli:ann", box=box)
    apply(session, file(("pa55", "***"), MOVED), "cli:ann", box=box)

    assert again.changes == ()
    assert shops.camera_source(session, tmp_path, "riga-1", "door") == "rtsp://root:pa55@10.0.0.7/live"


def test_a_new_password_is_told_as_such(session: Session, box: SecretBox, tmp_path: Path) -> None:
    apply(session, file(), "cli:ann", box=box)

    applied = apply(session, file(("pa55", "n3w")), "cli:ann", box=box)

    assert applied.changes == ("camera door: password changed",)
    assert shops.camera_source(session, tmp_path, "riga-1", "door") == "rtsp://root:n3w@10.0.0.7/live"


def test_a_hidden_password_that_was_never_stored_is_asked_for(session: Session, box: SecretBox) -> None:
    with pytest.raises(InputError, match=r"camera door: its address .* has \*\*\* for a password that is not stored"):
        apply(session, file(("pa55", "***")), "cli:ann", box=box)


def test_a_camera_that_was_taken_away_takes_its_password_along_and_stays_in_the_past(
    session: Session, box: SecretBox
) -> None:
    apply(session, file(), "cli:ann", box=box, now=MONDAY)
    start, end = TEXT.index("[[camera]]"), TEXT.index("[[zone]]")

    applied = apply(session, parse(TEXT[:start] + TEXT[end:]), "cli:ann", box=box, now=MONDAY + timedelta(days=1))

    assert applied.changes == ("camera door: removed",)
    assert session.scalars(sa.select(CameraRow)).all() == []
    past = shops.load_shop(session, "riga-1", at=MONDAY)
    assert [(camera.slug, camera.source) for camera in past.layout.cameras] == [("door", "removed")]


def test_what_would_change_is_told_without_changing_anything(session: Session, box: SecretBox) -> None:
    apply(session, file(), "cli:ann", box=box)

    assert shops.changes_of(session, file(MOVED), box=box) == ["zone shoes: polygon moved"]
    assert shops.export(session, "riga-1") == export(file().shop)


def test_the_input_that_a_camera_chose_is_kept_until_its_picture_has_another_size(
    session: Session, box: SecretBox
) -> None:
    apply(session, file(), "cli:ann", box=box)
    assert shops.chosen_input(session, "riga-1", "door") is None

    shops.keep_input(session, "riga-1", "door", (256, 352))
    apply(session, file(MOVED), "cli:ann", box=box)
    assert shops.chosen_input(session, "riga-1", "door") == (256, 352)

    apply(session, file(("[1280, 720]", "[1920, 1080]")), "cli:ann", box=box)
    assert shops.chosen_input(session, "riga-1", "door") is None


def test_a_shop_that_is_not_there_is_named_with_the_one_that_may_be_meant(session: Session, box: SecretBox) -> None:
    with pytest.raises(NotFoundError, match="there is none yet: vitrina floor shop apply FILE"):
        shops.load_shop(session, "riga-1")
    apply(session, file(), "cli:ann", box=box)
    with pytest.raises(NotFoundError, match="there is no shop 'riga1'; did you mean riga-1"):
        shops.load_shop(session, "riga1")
