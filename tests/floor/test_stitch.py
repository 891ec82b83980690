"""Boxes of parts, put together: nobody twice, nobody in pieces."""

from __future__ import annotations

import numpy as np

from vitrina.floor.stitch import Found, differing, part_of, stitch

SIZE_WH = (416, 320)


def found(*boxes: tuple[float, float, float, float], score: float = 0.9) -> Found:
    return Found(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32))


def test_a_box_belongs_to_the_part_its_centre_lies_in_and_ends_where_that_ends() -> None:
    on_canvas = found((10, 10, 70, 50), (70, 10, 90, 50))

    first = part_of(on_canvas, (0, 0), (100, 200, 164, 264))
    second = part_of(on_canvas, (64, 0), (300, 0, 364, 64))

    assert first.boxes_xyxy.tolist() == [[110, 210, 164, 250]]
    assert second.boxes_xyxy.tolist() == [[306, 10, 326, 50]]


def test_who_lay_in_a_region_is_replaced_and_who_lay_elsewhere_holds() -> None:
    before = found((110, 110, 130, 160), (300, 110, 320, 160))

    after, pieces = stitch(before, [((96, 96, 160, 192), found((114, 110, 134, 160)))], SIZE_WH)

    assert after.boxes_xyxy.tolist() == [[300, 110, 320, 160], [114, 110, 134, 160]]
    assert len(pieces) == 0


def test_a_piece_of_somebody_who_holds_is_dropped() -> None:
    standing = found((150, 110, 174, 160))

    after, pieces = stitch(standing, [((96, 96, 160, 192), found((150, 110, 160, 160)))], SIZE_WH)

    assert after.boxes_xyxy.tolist() == [[150, 110, 174, 160]]
    assert len(pieces) == 0


def test_a_piece_of_nobody_known_is_given_and_looked_at_again() -> None:
    after, pieces = stitch(found(), [((96, 96, 160, 192), found((140, 110, 160, 160)))], SIZE_WH)

    assert after.boxes_xyxy.tolist() == pieces.tolist() == [[140, 110, 160, 160]]


def test_at_the_pictures_own_edge_nobody_is_a_piece() -> None:
    after, pieces = stitch(found(), [((0, 96, 64, 192), found((0, 110, 12, 160)))], SIZE_WH)

    assert len(after) == 1
    assert len(pieces) == 0


def test_somebody_whole_in_two_regions_is_one() -> None:
    parts = [((96, 96, 192, 192), found((140, 110, 164, 160))), ((128, 96, 224, 192), found((141, 110, 165, 160)))]

    after, _ = stitch(found(), parts, SIZE_WH)

    assert len(after) == 1


def test_looks_differ_in_sure_boxes_that_only_one_of_them_has() -> None:
    before = found((10, 10, 30, 60), (100, 10, 120, 60)).join(found((200, 10, 220, 60), score=0.1))
    after = found((11, 10, 31, 60), (300, 10, 320, 60))

    assert differing(before, after, sure=0.3).tolist() == [[100, 10, 120, 60], [300, 10, 320, 60]]
