from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from vitrina.floor.geometry.ground import fit_ground
from vitrina.floor.layout import CameraLayout, Hours, Layout, Line, Plan, Shop, Zone
from vitrina.floor.setup.shopdiff import diff, same_geometry

POINTS_PX = [(220, 660), (1060, 660), (400, 300), (880, 300)]
POINTS_M = [(3, 7), (7, 7), (3, 3), (7, 3)]
GROUND = fit_ground(POINTS_PX, POINTS_M, (1280, 720))
DOOR = CameraLayout("door", "Door", "door.mp4", (1280, 720), GROUND)
TILL = Zone("till", "Till", "queue", ((8, 4), (9, 4), (9, 7)), till=(8.5, 4))
SHOES = Zone("shoes", "Shoes", "section", ((3, 2), (7, 2), (7, 4)))
ENTRANCE = Line("entrance", "Entrance", "entrance", (1000, 600), (280, 600), "door")
LAYOUT = Layout("a", datetime(2026, 11, 20, tzinfo=UTC), Plan(12, 8), (DOOR,), (TILL, SHOES), (ENTRANCE,))
SHOP = Shop("riga-1", "Riga", "Europe/Riga", "EUR", LAYOUT)


def changed(**rows: object) -> Shop:
    return replace(SHOP, layout=replace(LAYOUT, layout_id="b", **rows))  # type: ignore[arg-type]


def test_a_new_shop_is_one_sentence() -> None:
    assert diff(None, SHOP) == ["shop riga-1: new, with 1 camera, 2 zones, 1 line"]


def test_nothing_changed_is_no_sentence_whatever_the_layouts_id() -> None:
    assert diff(SHOP, changed()) == []


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (changed(zones=(replace(TILL, polygon=((8, 4), (9, 4), (9, 8))), SHOES)), "zone till: polygon moved"),
        (changed(zones=(replace(TILL, leave_s=3.5), SHOES)), "zone till: leave_s 2 → 3.5"),
        (changed(zones=(TILL,)), "zone shoes: removed"),
        (changed(zones=(TILL, SHOES, replace(SHOES, slug="hats"))), "zone hats: new"),
        (changed(zones=(SHOES, TILL)), "zones: in another order"),
        (changed(lines=(replace(ENTRANCE, a=(1000, 500), b=(280, 500)),)), "line entrance: moved"),
        (changed(lines=(replace(ENTRANCE, kind="passage"),)), "line entrance: kind entrance → passage"),
        (changed(cameras=(replace(DOOR, source="other.mp4"),)), "camera door: address changed"),
        (changed(cameras=(replace(DOOR, input_hw=(256, 352)),)), "camera door: input_hw None → 256×352"),
        (changed(cameras=(replace(DOOR, ground=None),)), "camera door: calibration removed"),
        (changed(plan=Plan(14, 8)), "plan: 12×8 m → 14×8 m"),
        (replace(SHOP, name="Rīga"), "shop: name Riga → Rīga"),
        (replace(SHOP, timezone="Europe/London"), "shop: timezone Europe/Riga → Europe/London"),
    ],
)
def test_each_change_is_a_sentence(new: Shop, sentence: str) -> None:
    assert diff(SHOP, new) == [sentence]


def test_a_calibration_tells_its_points_and_residual() -> None:
    middle = GROUND.to_picture([(5, 5)])[0]
    better = fit_ground([*POINTS_PX, middle, (641, 660)], [*POINTS_M, (5, 5.1), (5, 7)], (1280, 720))

    sentences = diff(SHOP, changed(cameras=(replace(DOOR, ground=better),)))

    assert sentences == [
        f"camera door: +2 calibration points, residual 0 → {better.residual_median_cm:.0f} cm",
    ]


def test_hours_are_told_as_they_are_written() -> None:
    days = ((Hours(time(9), time(21)),), *[()] * 6)

    (sentence,) = diff(SHOP, replace(SHOP, opens=days))

    assert sentence.startswith("shop: hours not given → mon 09:00-21:00, tue closed")


def test_only_what_moves_counts_makes_another_geometry() -> None:
    names = changed(
        cameras=(replace(DOOR, name="Front", source="rtsp://h/"),),
        zones=(replace(TILL, name="Kasse"), replace(SHOES, products=("4006381333931",))),
    )

    assert same_geometry(LAYOUT, names.layout)
    assert not same_geometry(LAYOUT, changed(zones=(replace(TILL, enter_s=3), SHOES)).layout)
    assert not same_geometry(LAYOUT, changed(cameras=(replace(DOOR, ground=None),)).layout)
    assert not same_geometry(LAYOUT, changed(plan=Plan(13, 8)).layout)
