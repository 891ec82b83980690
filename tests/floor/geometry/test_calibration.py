from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.floor.geometry.calibration import calibrate_floor, read_points

HEADER = "x_px,y_px,x_m,y_m\n"
FOUR = HEADER + "220,660,3,7\n1060,660,7,7\n400,300,3,3\n880,300,7,3\n"
SIZE = (1280, 720)


def test_a_table_of_points_is_read() -> None:
    points = read_points(FOUR.encode())

    assert points.px == ((220, 660), (1060, 660), (400, 300), (880, 300))
    assert points.metres == ((3, 7), (7, 7), (3, 3), (7, 3))
    assert points.lines == (2, 3, 4, 5)


@pytest.mark.parametrize(
    "text",
    [
        FOUR.replace("\n", "\r\n"),
        "\ufeff" + FOUR,
        "# clicked on Monday\n\n" + FOUR + "\n\n",
        FOUR.replace(",", ";"),
        FOUR.replace(",", "\t"),
        FOUR.replace(",", ";").replace("220", "220,0"),
        FOUR.replace("x_px,y_px", "x,y"),
        FOUR.replace("x_px", " X_PX "),
        "note," + FOUR.replace("\n", "\n corner,").removesuffix(" corner,"),
        FOUR.replace("220", '"220"').replace("660", "6.6e2"),
    ],
)
def test_the_ways_in_which_programs_write_tables_are_understood(text: str) -> None:
    points = read_points(text.encode())

    assert (points.px, points.metres) == (read_points(FOUR.encode()).px, read_points(FOUR.encode()).metres)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "p.csv:1: expected the header x_px,y_px,x_m,y_m and a line for each point, got nothing"),
        ("\n# only a comment\n", "p.csv:1: expected the header"),
        ("220,660,3,7\n", "p.csv:1: column x_px is missing from the header; expected x_px,y_px,x_m,y_m, got 220"),
        (FOUR.replace("y_m", "z_m"), "p.csv:1: column y_m is missing from the header"),
        (FOUR.replace("y_m", "x_m"), "p.csv:1: column x_m stands twice in the header"),
        (FOUR.replace("400", "4oo"), "p.csv:4: column x_px: expected a number such as 412.5, got '4oo'"),
        (FOUR.replace("400", ""), "p.csv:4: column x_px: expected a number such as 412.5, it is empty"),
        (FOUR.replace("400", "nan"), "p.csv:4: column x_px: expected a number"),
        (FOUR.replace("400", "1_000"), "p.csv:4: column x_px: expected a number"),
        (FOUR.replace("400", "1e999"), "p.csv:4: column x_px: expected a number"),
        (FOUR.replace("400,300,3,3", "400,300,3"), "p.csv:4: expected 4 values as in the header, got 3"),
        (FOUR.replace("400,300,3,3", "400,300,3,3,9"), "p.csv:4: expected 4 values as in the header, got 5"),
        (HEADER, "p.csv: expected at least 4 points on the floor, got 0"),
        (FOUR.replace("880,300,7,3\n", ""), "p.csv: expected at least 4 points on the floor, got 3"),
        (FOUR.replace("400,300", "1400,300"), "p.csv:4: point 3: (1400, 300) is outside the picture of 1280×720"),
        (FOUR.replace("400,300", "220,660"), "p.csv:4: point 3 is the same as point 1 in the picture"),
        (FOUR.replace(",7\n", ",-7\n"), "p.csv: the floor comes out mirrored"),
        (
            FOUR.replace("400,300,3,3", "400,300,7,3").replace("880,300,7,3", "880,300,3,3"),
            "two of them seem to be swapped",
        ),
        (FOUR.replace(",7\n", ",4\n"), "p.csv: the points cover a square of 2.0 m only"),
    ],
)
def test_every_mistake_in_the_table_names_line_and_column(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        calibrate_floor(read_points(text.encode(), name="p.csv"), size_wh=SIZE)

    assert said in str(refused.value)


def test_a_table_that_is_not_utf_8_is_named_by_line() -> None:
    with pytest.raises(InputError, match=r"p\.csv:2: expected text in UTF-8, got the byte 0xff"):
        read_points(HEADER.encode() + b"\xff", name="p.csv")


def test_four_points_say_that_their_residual_says_nothing() -> None:
    found = calibrate_floor(read_points(FOUR.encode()), size_wh=SIZE)

    assert max(found.ground.residual_cm) < 1e-6
    assert 0.01 < found.expected_m < 0.1
    assert any("a residual needs 5 points or more" in warning for warning in found.warnings())


def test_a_point_that_is_far_off_is_pointed_at() -> None:
    wrong = FOUR + "640,660,5,7\n640,300,5,4.6\n"

    found = calibrate_floor(read_points(wrong.encode()), size_wh=SIZE)

    assert any(warning.startswith("point 6 does not fit") for warning in found.warnings())


def test_without_the_pictures_size_the_smallest_usual_one_is_assumed_and_said() -> None:
    found = calibrate_floor(read_points(FOUR.encode()))

    assert (found.ground.size_wh, found.size_assumed, found.ground.k1) == ((1280, 720), True, 0.0)
    assert any("1280×720 is assumed" in warning for warning in found.warnings())
    with pytest.raises(InputError, match="k1 has a meaning only with the picture's size: add --size"):
        calibrate_floor(read_points(FOUR.encode()), k1=0.1)


def test_the_answer_is_json_with_the_homography_and_a_residual_a_point() -> None:
    answer = json.loads(
        json.dumps(calibrate_floor(read_points(FOUR.encode()), size_wh=SIZE).as_json(), allow_nan=False)
    )

    x, y, w = (row[0] * 220 + row[1] * 660 + row[2] for row in answer["homography"])
    assert (x / w, y / w) == pytest.approx((3, 7))
    assert answer["residual_cm"] == [point["residual_cm"] for point in answer["points"]]
    assert len(answer["residual_cm"]) == 4
    assert answer["reach_m"] > 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_calibration_or_a_clear_error(data: bytes) -> None:
    try:
        calibrate_floor(read_points(FOUR.encode() + data))
    except InputError:
        return
