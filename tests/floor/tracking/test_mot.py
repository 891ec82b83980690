from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError, NotFoundError
from vitrina.floor.tracking.mot import format_mot, mot_boxes, parse_mot, read_mot, write_mot


def test_a_line_is_frame_id_left_top_width_height_and_score() -> None:
    boxes = parse_mot("3,-1,10,20,30,40,0.5,-1,-1,-1\n", name="det.txt")
    assert boxes.frames.tolist() == [3]
    assert boxes.ids.tolist() == [-1]
    assert boxes.boxes_xyxy.tolist() == [[10, 20, 40, 60]]
    assert boxes.scores.tolist() == [0.5]


@pytest.mark.parametrize("text", ["", "\n", "  \n\r\n"])
def test_an_empty_file_is_right_and_has_no_boxes(text: str) -> None:
    boxes = parse_mot(text, name="det.txt")
    assert len(boxes) == 0
    assert boxes.last_frame == 0


def test_spaces_windows_line_ends_and_a_byte_order_mark_are_fine() -> None:
    assert parse_mot("\ufeff 1 , 7, 1 ,2, 3,4 , 0.9 \r\n2,7,1,2,3,4\r\n", name="a").ids.tolist() == [7, 7]


def test_a_row_without_a_score_has_score_one() -> None:
    assert parse_mot("1,-1,1,2,3,4", name="a").scores.tolist() == [1.0]


def test_rows_come_in_the_order_of_their_frames() -> None:
    assert parse_mot("9,-1,1,2,3,4\n2,-1,1,2,3,4", name="a").frames.tolist() == [2, 9]


def test_frames_without_a_box_are_not_skipped() -> None:
    boxes = parse_mot("2,-1,1,2,3,4\n2,-1,5,2,3,4\n4,-1,1,2,3,4", name="a")
    assert [len(frame) for frame in boxes.by_frame(5)] == [0, 2, 0, 1, 0]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("1,-1,1,2,3", "d.txt:2: expected 6 to 10 numbers"),
        ("1,-1,1,2,3,4,.5,0,0,0,0", "d.txt:2: expected 6 to 10 numbers"),
        ("1 -1 1 2 3 4", "d.txt:2: expected 6 to 10 numbers"),
        ("1,-1,1,2,wide,4", "d.txt:2: expected a number in column 5, got 'wide'"),
        ("1,-1,1,2,nan,4", "d.txt:2: expected a finite number in column 5, got 'nan'"),
        ("1,-1,1,2,3,inf", "d.txt:2: expected a finite number in column 6"),
        ("0,-1,1,2,3,4", "d.txt:2: expected a whole frame number from 1, got 0"),
        ("1.5,-1,1,2,3,4", "d.txt:2: expected a whole frame number from 1, got 1.5"),
        ("1,2.5,1,2,3,4", "d.txt:2: expected a whole number as id, got 2.5"),
        ("1,-1,1,2,0,4", "d.txt:2: expected a width and height above 0, got 0 × 4"),
        ("1,-1,1,2,3,-4", "d.txt:2: expected a width and height above 0, got 3 × -4"),
        ("1,5,9,9,9,9", "d.txt:2: expected id 5 once in frame 1, but line 1 has it too"),
        ("frame,id,x,y,w,h", "d.txt:2: expected a number in column 1, got 'frame'"),
        ("x" * 1000, "…"),
    ],
)
def test_a_wrong_line_is_named_with_what_was_expected_and_what_came(line: str, complaint: str) -> None:
    with pytest.raises(InputError) as error:
        parse_mot(f"1,5,1,2,3,4\n{line}\n", name="d.txt")
    assert complaint in str(error.value)
    assert len(str(error.value)) < 250


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    boxes = mot_boxes([(2, 4, 1.25, 2.5, 11.25, 22.5, 0.75), (1, 4, 1, 2, 3, 4, 1)])
    write_mot(path, boxes)
    again = read_mot(path)
    assert path.read_text().splitlines()[0] == "1,4,1.00,2.00,2.00,2.00,1.0000,-1,-1,-1"
    assert again.boxes_xyxy.tolist() == boxes.boxes_xyxy.tolist()
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_a_folder_and_a_picture_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.txt: no such file"):
        read_mot(tmp_path / "none.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_mot(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InputError, match=r"a\.jpg: expected text .* byte 0 is not text"):
        read_mot(tmp_path / "a.jpg")


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_mot(tmp_path / "no" / "out.txt", mot_boxes([]))


pixel = st.integers(-200_000, 200_000).map(lambda n: n / 100)
size = st.integers(1, 100_000).map(lambda n: n / 100)
score = st.integers(0, 10_000).map(lambda n: n / 10_000)


@given(st.lists(st.tuples(st.integers(1, 10_000), pixel, pixel, size, size, score)))
def test_what_is_formatted_is_parsed_back(
    rows: list[tuple[int, float, float, float, float, float]],
) -> None:
    boxes = mot_boxes([(frame, -1, x, y, x + w, y + h, s) for frame, x, y, w, h, s in rows])
    # a size below half a hundredth of a pixel would be written as 0
    if len(boxes) and ((boxes.boxes_xyxy[:, 2:] - boxes.boxes_xyxy[:, :2]) < 0.005).any():
        return
    again = parse_mot(format_mot(boxes), name="round trip")
    assert again.frames.tolist() == boxes.frames.tolist()
    np.testing.assert_allclose(again.boxes_xyxy, boxes.boxes_xyxy, atol=0.02)
    np.testing.assert_allclose(again.scores, boxes.scores, atol=1e-4)


@given(st.text())
def test_any_text_gives_boxes_or_an_input_error(text: str) -> None:
    with suppress(InputError):
        parse_mot(text, name="t")
