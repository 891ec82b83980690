"""Pictures into vectors: how alike two pictures are is the cosine of theirs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError
from vitrina.models.manifest import IMAGE_EMBEDDER, Model, read_content
from vitrina.models.picture import fit_picture, to_tensor
from vitrina.models.preparation import Preparation
from vitrina.models.session import REFUSALS, Session

if TYPE_CHECKING:
    from vitrina.settings import Settings
    from vitrina.storage.database import Database

BATCH = 8
"""Pictures that go through the network together; more of them bring nothing on a processor and cost memory."""

GOLDEN_COSINE = 0.999
"""How near a stored vector must be: float16 and other processors move the last digits, a wrong picture moves more."""


class Embedder:
    """One embedder with its own ONNX Runtime session. Cheap to call, not to build: keep it.

    name: of the model; vectors of two models cannot be compared. dim: how many numbers a vector has.
    """

    def __init__(self, model: Model, *, threads: int = 1, provider: str = "cpu") -> None:
        if model.role != IMAGE_EMBEDDER or model.input_hw is None:
            raise InputError(f"{model.name} is a {model.role}, expected an {IMAGE_EMBEDDER}: see `vitrina models list`")
        self.model, self.name, self.dim = model, model.name, model.dim
        self._input_hw = model.input_hw
        self._session = Session(read_content(model), name=model.name, provider=provider, threads=threads)

    def embed(self, pictures_rgb: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Pictures (H, W, 3) of any size → (N, dim), each of length 1 (of length 0 where the network sees nothing)."""
        return embed(self._session, pictures_rgb, self._input_hw, self.model.preparation, self.dim)


def load_embedder(settings: Settings, database: Database, *, threads: int = 1) -> Embedder:
    """The promoted embedder, else the one that ships. NotFoundError when the promoted file is gone."""
    from vitrina.models.registry import running_model

    with database.reading() as session:
        model = running_model(session, settings.home, IMAGE_EMBEDDER)
    return Embedder(model, threads=threads)


def embed(
    session: Session,
    pictures_rgb: Sequence[NDArray[np.uint8]],
    input_hw: tuple[int, int],
    preparation: Preparation,
    dim: int,
) -> NDArray[np.float32]:
    """(N, dim) float32, each row of length 1; pictures go through in batches where the network takes several."""
    vectors = np.empty((len(pictures_rgb), dim), np.float32)
    step = BATCH if session.takes_many else 1
    for start in range(0, len(pictures_rgb), step):
        some = pictures_rgb[start : start + step]
        tensor = np.concatenate([to_tensor(fit_picture(one, input_hw, preparation)[0], preparation) for one in some])
        (answer,) = session.run(tensor).values()
        vectors[start : start + step] = answer.reshape(len(some), dim)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


def made_picture(number: int, side: int = 224) -> NDArray[np.uint8]:
    """(side, side, 3) uint8: waves of colour, the same on every machine. tools/build_embedder.py has the same."""
    rows, columns = np.mgrid[:side, :side]
    waves = rows * (3 + number) + columns * (5 - number) + (rows * columns) // (17 + 9 * number)
    planes: NDArray[np.uint8] = np.stack([(waves + 40 * plane) % 256 for plane in range(3)], axis=2).astype(np.uint8)
    return planes


def check_golden(embedder: Embedder) -> None:
    """Compare with the vectors stored when the model was built, where there are any; InputError when they differ."""
    path = embedder.model.path.with_suffix(".golden.json")
    if not embedder.model.shipped or not path.exists():
        return
    expected = np.array(json.loads(path.read_text(encoding="utf-8"))["vectors"], np.float32)
    found = embedder.embed([made_picture(number) for number in range(len(expected))])
    worst = float((found * expected).sum(axis=1).min())
    if worst < GOLDEN_COSINE:
        raise InputError(
            f"{embedder.name}: this machine's vectors are not those it was built with (cosine {worst:.4f}, expected "
            f"at least {GOLDEN_COSINE}); install another version of onnxruntime"
        )


def vector_size(session: Session, input_hw: tuple[int, int], *, name: str) -> int:
    """How many numbers the network's vector has. InputError says what it gave when that is no single vector."""
    if session.input_hw is not None and session.input_hw != input_hw:
        found = "x".join(map(str, session.input_hw))
        raise InputError(f"{name} takes pictures of {found} (height x width), not {input_hw[0]}x{input_hw[1]}: --size")
    try:
        outputs = session.run(np.full((1, 3, *input_hw), 0.5, np.float32))
    except REFUSALS as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{name} does not run on a picture of {input_hw[0]}x{input_hw[1]}: {reason}") from error
    shapes = [array.shape for array in outputs.values()]
    if len(shapes) != 1 or shapes[0] != (1, shapes[0][-1]) or shapes[0][-1] < 2:
        found = ", ".join(f"{key} {array.dtype} {array.shape}" for key, array in outputs.items())
        raise InputError(
            f"{name} gave {found} for one picture; expected one output (1, numbers): the embedding alone. "
            "Export the network with its pooled, projected vector as its only output"
        )
    (vector,) = outputs.values()
    if not np.isfinite(vector.astype(np.float32)).all():
        raise InputError(f"{name} gave numbers that are not finite for a grey picture; export it in float32")
    return int(shapes[0][-1])
