"""Photos and catalog pictures into vectors."""

from __future__ import annotations

import numpy as np
import pytest

from vitrina.lens.embed import catalog_vectors, look
from vitrina.models.embedder import Embedder, made_picture
from vitrina.models.manifest import IMAGE_EMBEDDER, shipped_models


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    (model,) = (model for model in shipped_models() if model.role == IMAGE_EMBEDDER)
    return Embedder(model)


def test_a_photo_is_looked_at_through_six_windows_and_a_box_through_two(embedder: Embedder) -> None:
    photo = made_picture(0, side=300)

    free, boxed = look(embedder, photo), look(embedder, photo, (0.1, 0.1, 0.9, 0.9))

    assert (free.vectors.shape, free.boxed, free.penalties.max() > 0) == ((6, embedder.dim), False, True)
    assert (boxed.vectors.shape, boxed.boxed, boxed.penalties.max()) == ((2, embedder.dim), True, 0)


def test_the_window_that_shows_the_thing_is_the_one_that_was_meant(embedder: Embedder) -> None:
    thing = made_picture(2, side=200)
    photo = np.full((400, 400, 3), 200, np.uint8)
    photo[200:400, 100:300] = thing

    seen = look(embedder, photo)
    cosines = seen.vectors @ embedder.embed([thing, made_picture(0)]).T

    assert seen.score(cosines).argmax() == 0
    assert seen.boxes_xyxy[seen.meant(cosines)[0]] == (100, 200, 300, 400)


def test_each_catalog_picture_keeps_its_own_crops(embedder: Embedder) -> None:
    square, long = made_picture(0, side=120), np.tile(made_picture(1, side=100), (3, 1, 1))

    together, alone = catalog_vectors(embedder, [square, long]), catalog_vectors(embedder, [long])

    assert [len(some) for some in together] == [2, 3]
    np.testing.assert_allclose(together[1], alone[0], atol=1e-4)


def test_no_pictures_have_no_vectors(embedder: Embedder) -> None:
    assert catalog_vectors(embedder, []) == []
