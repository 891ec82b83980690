"""The detector on pictures, and the one procedure that chooses its input size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.floor.people import (
    HEIGHT_PX,
    LARGEST_PX,
    SMALLEST_PX,
    PersonDetector,
    check_input_hw,
    choose_input_hw,
    fit_input,
    input_sizes,
    parse_input_hw,
    people_heights,
    wide_input_hw,
)
from vitrina.models.manifest import shipped_models

SHARED = Path(__file__).parents[3] / "shared" / "data" / "floor"

CAMERAS = st.sampled_from([(768, 576), (384, 288), (1920, 1080), (640, 360), (1080, 1920), (1000, 1000), (2592, 1944)])


@pytest.fixture(scope="module")
def detector() -> PersonDetector:
    return PersonDetector(shipped_models()[0])


def heights(*values: float) -> np.ndarray:
    return np.repeat(np.array(values, np.float32), 20)


def scale(input_hw: tuple[int, int], size_wh: tuple[int, int]) -> float:
    return min(input_hw[0] / size_wh[1], input_hw[1] / size_wh[0])


def test_people_far_away_get_the_wide_input() -> None:
    assert choose_input_hw(heights(76, 87, 107), (768, 576)) == (320, 416)


def test_people_close_by_get_the_small_input() -> None:
    assert choose_input_hw(heights(73, 75, 79), (384, 288)) == (256, 352)


def test_people_in_a_full_hd_picture_get_an_input_of_its_aspect() -> None:
    assert choose_input_hw(heights(180, 260, 400), (1920, 1080)) == (256, 448)


def test_few_heights_say_nothing() -> None:
    assert choose_input_hw(np.full(19, 30, np.float32), (768, 576)) == wide_input_hw((768, 576)) == (320, 416)


def test_an_upright_picture_gets_an_upright_input() -> None:
    height, width = choose_input_hw(heights(300), (1080, 1920))

    assert height > width


@given(CAMERAS, st.lists(st.floats(5, 2000), min_size=20, max_size=60))
def test_the_input_is_the_cheapest_that_shows_people_40_to_100_px_high(
    size_wh: tuple[int, int], values: list[float]
) -> None:
    chosen = choose_input_hw(np.array(values, np.float32), size_wh)

    short, tall = np.quantile(np.array(values, np.float32), [0.1, 0.9])
    for size in input_sizes(size_wh):
        pixels = size[0] * size[1]
        fits = short * scale(size, size_wh) >= HEIGHT_PX[0] and tall * scale(size, size_wh) <= HEIGHT_PX[1]
        if fits and SMALLEST_PX <= pixels < chosen[0] * chosen[1]:
            pytest.fail(f"{size} would do and costs less than {chosen}")


@given(CAMERAS, st.lists(st.floats(1, 3000), max_size=60))
def test_the_input_is_always_one_that_the_detector_takes(size_wh: tuple[int, int], values: list[float]) -> None:
    height, width = choose_input_hw(np.array(values, np.float32), size_wh)

    assert check_input_hw((height, width)) == (height, width)
    assert SMALLEST_PX <= height * width <= LARGEST_PX
    assert (height / width) / (size_wh[1] / size_wh[0]) == pytest.approx(1.0, abs=0.1)


@given(CAMERAS, st.lists(st.floats(5, 2000), min_size=20, max_size=40), st.randoms())
def test_the_order_of_heights_does_not_matter(size_wh: tuple[int, int], values: list[float], random) -> None:
    shuffled = random.sample(values, len(values))

    assert choose_input_hw(np.array(values), size_wh) == choose_input_hw(np.array(shuffled), size_wh)


def test_an_input_size_is_read_as_height_x_width() -> None:
    assert parse_input_hw("320x416") == parse_input_hw("320X416") == (320, 416)


@pytest.mark.parametrize(
    "text", ["", "320", "x416", "320x", "320x400", "0x32", "-32x32", "320×416", "3.2x32", "64x4096"]
)
def test_another_input_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="such as 320x416"):
        parse_input_hw(text)


def test_an_empty_room_has_no_people(detector: PersonDetector) -> None:
    boxes, scores = detector.detect(np.full((288, 384, 3), 128, np.uint8))

    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)
    assert (boxes.dtype, scores.dtype) == (np.float32, np.float32)


def test_an_empty_room_keeps_the_wide_input(detector: PersonDetector) -> None:
    frames = [np.zeros((288, 384, 3), np.uint8)] * 3

    assert fit_input(detector, frames, (384, 288)) == (320, 416)


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 400), (400, 1), (37, 53)])
def test_odd_pictures_are_looked_at_too(size_wh: tuple[int, int]) -> None:
    detector = PersonDetector(shipped_models()[0])
    noise = np.random.default_rng(0).integers(0, 255, (size_wh[1], size_wh[0], 3), np.uint8)

    boxes, scores = detector.detect(noise)

    assert len(boxes) == len(scores)


def test_a_model_with_a_fixed_input_keeps_it(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from vitrina.models.library import add_model

    model = onnx.load(shipped_models()[0].path)
    for axis, side in ((2, 192), (3, 256)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = side
    onnx.save(model, tmp_path / "fixed.onnx")
    detector = PersonDetector(add_model(tmp_path, tmp_path / "fixed.onnx"), input_hw=(320, 416))

    detector.use_input((256, 352))

    assert detector.is_fixed
    assert fit_input(detector, [], (768, 576)) == (192, 256)
    assert detector.detect(np.zeros((576, 768, 3), np.uint8))[0].shape == (0, 4)


def first_frames(name: str, count: int) -> list[np.ndarray]:
    av = pytest.importorskip("av")
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the shared recording {name} is not here")
    with av.open(str(path)) as video:
        return [frame.to_ndarray(format="rgb24") for frame, _ in zip(video.decode(video=0), range(count), strict=False)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size_wh", "input_hw"),
    [("pets09-s2l1.avi", (768, 576), (320, 416)), ("caviar-corridor.mpg", (384, 288), (256, 352))],
)
def test_real_recordings_get_the_input_that_was_measured_for_them(
    name: str, size_wh: tuple[int, int], input_hw: tuple[int, int], detector: PersonDetector
) -> None:
    assert fit_input(detector, first_frames(name, 50), size_wh) == input_hw


@pytest.mark.slow
def test_people_of_a_real_recording_are_found() -> None:
    detector = PersonDetector(shipped_models()[0], input_hw=(320, 416))
    truth = np.loadtxt(SHARED / "PETS09-S2L1/gt/gt.txt", delimiter=",") if SHARED.exists() else np.empty((0, 9))
    found = total = 0
    for number, frame in enumerate(first_frames("pets09-s2l1.avi", 20), start=1):
        people = truth[(truth[:, 0] == number) & (truth[:, 6] == 1), 2:6]
        boxes, scores = detector.detect(frame)
        boxes = boxes[scores >= 0.45]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        for x, y, width, height in people:
            total += 1
            found += bool((np.abs(centres - (x + width / 2, y + height / 2)) < (width / 2, height / 4)).all(1).any())

    assert found / total > 0.9


def test_people_cut_off_by_the_edge_do_not_count_for_heights() -> None:
    class Found:
        def detect(self, frame_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            boxes = np.array([[5, 0, 9, 30], [5, 10, 9, 50], [5, 60, 9, 100], [5, 10, 9, 40]], np.float32)
            return boxes, np.array([0.9, 0.9, 0.9, 0.2], np.float32)

    assert people_heights(Found(), [np.zeros((100, 100, 3), np.uint8)] * 60).tolist() == [40.0] * 50


@pytest.mark.slow
def test_inputs_of_many_sizes_cost_no_more_memory_than_a_few(detector: PersonDetector) -> None:
    process, rng = psutil.Process(), np.random.default_rng(1)
    used = []
    for _ in range(3):
        for height, width in rng.integers(2, 13, (120, 2)) * 32:
            detector.find(np.zeros((height, width, 3), np.uint8))
        used.append(process.memory_info().rss)

    assert used[2] - used[0] < 12e6
