"""The index beside other engines: building it, and questions with and without a filter. The vectors are simulated.

Products are directions of 24 numbers turned into `DIM`; each is in some shops with pictures a little different, and a
question is a picture more different than those. Each engine has a process of its own on one processor, and times are
processor time, as the machine may be busy: "QPS" are questions a second of one processor, one at a time, the best of
`ROUNDS`. Over the socket that of both processes counts. Every graph has the same links and efforts as ours.

The filter is one shop of twenty and what is in stock: four entries of a hundred pass. hnswlib asks a function of
Python for each entry; usearch has none, so it is asked for four times as many as would do on average, and the rest is
dropped; lancedb looks first at an index of what passes, has one partition, and looks again at ten times as many.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.table import BarRow, Report
from vitrina.lens.index import EVERYTHING, Entry, Filter, Floats, Index, entry_id, split_entry
from vitrina.lens.index_zvec import BUILD_EFFORT, EFFORT, NEIGHBOURS, ZvecIndex
from vitrina.lens.indexing.client import IndexClient
from vitrina.settings import load_settings

COUNT, LONG_COUNT = 20_000, 200_000
DIM, QUESTIONS, K, ROUNDS, SEED = 512, 500, 10, 3, 7
ENOUGH_S = 5.0
"""No further round of a slow engine."""
SHOPS, LATENT, PICTURES = 20, 24, 5
SHOP = "shop-3"
WHERE = Filter(shops=(SHOP,), available=True)
PASSING = 1 / SHOPS * 4 / 5
PORTION = 500


@dataclass(frozen=True, slots=True)
class World:
    """Row n of each: an entry, or for the last three a question and the rows of its nearest ones, best first."""

    vectors: Floats
    shops: NDArray[np.int64]
    available: NDArray[np.bool_]
    questions: Floats
    truth: NDArray[np.int64]
    truth_where: NDArray[np.int64]

    @property
    def passes(self) -> NDArray[np.bool_]:
        return np.asarray(self.shops == int(SHOP.removeprefix("shop-"))) & self.available

    def write(self, path: Path) -> None:
        np.savez(path, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def read(cls, path: Path) -> World:
        with np.load(path) as held:
            return cls(**{name: held[name] for name in cls.__slots__})


def simulated(count: int) -> World:
    rng = np.random.default_rng(SEED)
    turn = rng.normal(size=(LATENT, DIM)).astype(np.float32)
    products = rng.normal(size=(max(count // PICTURES, 1), LATENT)).astype(np.float32)

    def pictures(size: int, difference: float) -> Floats:
        meant = products[rng.integers(len(products), size=size)]
        latent = meant + difference * rng.normal(size=meant.shape).astype(np.float32)
        rows = latent @ turn + rng.normal(size=(size, DIM)).astype(np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    vectors, questions = pictures(count, 0.2), pictures(QUESTIONS, 0.5)
    shops, available = rng.integers(SHOPS, size=count), rng.random(count) < 0.8
    world = World(vectors, shops, available, questions, *(np.zeros((0, K), np.int64),) * 2)
    rows = np.arange(count)
    passing = rows[world.passes]
    return World(
        vectors, shops, available, questions, exact(vectors, rows, questions), exact(vectors, passing, questions)
    )


def exact(vectors: Floats, rows: NDArray[np.int64], questions: Floats) -> NDArray[np.int64]:
    there = vectors[rows]
    return np.stack([rows[np.argsort(-(there @ one), kind="stable")[:K]] for one in questions])


class Engine(Protocol):
    def build(self, world: World) -> None: ...
    def search(self, question: Floats, *, filtered: bool) -> list[int]:
        """Rows of the nearest entries."""

    def elsewhere_s(self) -> float:
        """Processor time of a process besides this one."""

    def close(self) -> None: ...


class Ours:
    """Through the interface, in this process."""

    def __init__(self, folder: Path) -> None:
        self.index: Index = ZvecIndex(folder / "index")

    def build(self, world: World) -> None:
        for first in range(0, len(world.vectors), PORTION):
            self.index.upsert([entry(world, row) for row in range(first, min(first + PORTION, len(world.vectors)))])
        self.index.settle()

    def search(self, question: Floats, *, filtered: bool) -> list[int]:
        [hits] = self.index.search(question[None], K, WHERE if filtered else EVERYTHING)
        return [int(split_entry(hit.entry_id)[0], 16) for hit in hits]

    def elsewhere_s(self) -> float:
        return 0.0

    def close(self) -> None:
        self.index.close()


class OursOverSocket(Ours):
    """A process has the index, as in an installation; this one asks it."""

    def __init__(self, folder: Path) -> None:
        environ = os.environ | {"VITRINA_HOME": str(folder)}
        command = [sys.executable, "-m", "vitrina.cli.main", "up", "--only", "index"]
        # It ends with its standard input, as under `vitrina up`.
        self.process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE)
        self.index = IndexClient(load_settings({"VITRINA_HOME": str(folder)}), "simulated", start=False)
        self.index.count()

    def elsewhere_s(self) -> float:
        told = psutil.Process(self.process.pid).cpu_times()
        return float(told.user + told.system)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


class RawZvec:
    """zvec as its manual uses it, with the same graph. Ours costs 0.1 ms more a search: much of a small index's."""

    def __init__(self, folder: Path) -> None:
        import zvec

        zvec.init(log_level=zvec.LogLevel.ERROR)
        self.zvec, kinds, lookup = zvec, zvec.DataType, zvec.InvertIndexParam()
        graph = zvec.HnswIndexParam(metric_type=zvec.MetricType.IP, m=NEIGHBOURS, ef_construction=BUILD_EFFORT)
        schema = zvec.CollectionSchema(
            "entries",
            fields=[
                zvec.FieldSchema("shop", kinds.STRING, index_param=lookup),
                zvec.FieldSchema("available", kinds.BOOL, index_param=lookup),
            ],
            vectors=[zvec.VectorSchema("vector", kinds.VECTOR_FP16, DIM, index_param=graph)],
        )
        self.index = zvec.create_and_open(str(folder / "raw"), schema)
        self.param = zvec.HnswQueryParam(ef=EFFORT)

    def build(self, world: World) -> None:
        for first in range(0, len(world.vectors), PORTION):
            self.index.insert(
                [
                    self.zvec.Doc(
                        id=str(row),
                        vectors={"vector": world.vectors[row].astype(np.float16)},
                        fields={"shop": f"shop-{world.shops[row]}", "available": bool(world.available[row])},
                    )
                    for row in range(first, min(first + PORTION, len(world.vectors)))
                ]
            )
        self.index.optimize()

    def search(self, question: Floats, *, filtered: bool) -> list[int]:
        asked = self.zvec.Query("vector", vector=question.astype(np.float16), param=self.param)
        told = f"shop = '{SHOP}' and available = true" if filtered else None
        return [int(doc.id) for doc in self.index.query(asked, topk=K, filter=told, output_fields=[])]

    def elsewhere_s(self) -> float:
        return 0.0

    def close(self) -> None:
        self.index.close()


class Hnswlib:
    def __init__(self, _folder: Path) -> None:
        import hnswlib

        self.index = hnswlib.Index("ip", DIM)

    def build(self, world: World) -> None:
        self.passes = world.passes.tolist()
        self.index.init_index(len(world.vectors), M=NEIGHBOURS, ef_construction=BUILD_EFFORT, random_seed=SEED)
        self.index.add_items(world.vectors, num_threads=1)
        self.index.set_ef(EFFORT)

    def search(self, question: Floats, *, filtered: bool) -> list[int]:
        told: dict[str, Any] = {"filter": self.passes.__getitem__} if filtered else {}
        labels, _ = self.index.knn_query(question, K, num_threads=1, **told)
        return [int(row) for row in labels[0]]

    def elsewhere_s(self) -> float:
        return 0.0

    def close(self) -> None:
        """Nothing is open."""


class Usearch:
    def __init__(self, _folder: Path) -> None:
        from usearch.index import Index as Graph

        self.index = Graph(
            ndim=DIM,
            metric="ip",
            dtype="f16",
            connectivity=NEIGHBOURS,
            expansion_add=BUILD_EFFORT,
            expansion_search=EFFORT,
        )

    def build(self, world: World) -> None:
        self.passes = world.passes
        self.index.add(np.arange(len(world.vectors)), world.vectors, threads=1)

    def search(self, question: Floats, *, filtered: bool) -> list[int]:
        asked = round(4 * K / PASSING) if filtered else K
        rows = self.index.search(question, asked, threads=1).keys.astype(np.int64)
        return [int(row) for row in (rows[self.passes[rows]] if filtered else rows)[:K]]

    def elsewhere_s(self) -> float:
        return 0.0

    def close(self) -> None:
        """Nothing is open."""


class Lancedb:
    def __init__(self, folder: Path) -> None:
        import lancedb

        self.database = lancedb.connect(folder)

    def build(self, world: World) -> None:
        import pyarrow as pa
        from lancedb.index import Bitmap, HnswSq

        flat = pa.array(world.vectors.reshape(-1))
        columns = {"row": np.arange(len(world.vectors)), "vector": pa.FixedSizeListArray.from_arrays(flat, DIM)}
        columns |= {"shop": [f"shop-{number}" for number in world.shops.tolist()], "available": world.available}
        self.table = self.database.create_table("entries", pa.table(columns))
        graph = HnswSq(distance_type="dot", num_partitions=1, m=NEIGHBOURS, ef_construction=BUILD_EFFORT)
        self.table.create_index("vector", config=graph)
        self.table.create_index("shop", config=Bitmap())
        self.table.create_index("available", config=Bitmap())

    def search(self, question: Floats, *, filtered: bool) -> list[int]:
        asked: Any = self.table.search(question)  # typed as what it is for words, too
        asked = asked.nprobes(1).ef(EFFORT).refine_factor(10).select(["row", "_distance"])
        if filtered:
            asked = asked.where(f"shop = '{SHOP}' AND available", prefilter=True)
        return [int(row) for row in asked.limit(K).to_arrow().column("row").to_pylist()]

    def elsewhere_s(self) -> float:
        return 0.0

    def close(self) -> None:
        """Nothing is open."""


ENGINES: dict[str, Callable[[Path], Engine]] = {
    "vitrina": Ours,
    "vitrina over its socket": OursOverSocket,
    "zvec alone": RawZvec,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "lancedb": Lancedb,
}


def entry(world: World, row: int) -> Entry:
    shop = f"shop-{world.shops[row]}"
    name = entry_id(f"{row:064x}", 0, shop)
    return Entry(name, world.vectors[row], shop, "Shoes", "Acme", 100 + row, "EUR", bool(world.available[row]))


def run(*, long: bool = False) -> Report:
    """long: with ten times as many vectors."""
    count = LONG_COUNT if long else COUNT
    with tempfile.TemporaryDirectory() as folder:
        simulated(count).write(Path(folder) / "world.npz")
        told = {name: alone(name, Path(folder)) for name in ENGINES}
    columns = ["engine", "build, s", "QPS", f"recall@{K}", "QPS, filtered", f"recall@{K}, filtered"]
    kinds = ("build_s", "qps", "recall", "qps_where", "recall_where")
    rows: list[list[object]] = [[name, *(tidy(one, kind) for kind in kinds)] for name, one in told.items()]
    ours, socket, raw = (told[name] for name in ("vitrina", "vitrina over its socket", "zvec alone"))
    beside = ours["qps_where"] / raw["qps_where"]
    recalls = {kind: min(ours[kind], socket[kind]) for kind in ("recall", "recall_where")}
    bars: list[BarRow] = [
        (f"recall@{K}, the lower of both ways", recalls["recall"], "≥ 0.99", recalls["recall"] >= 0.99),
        ("the same, filtered", recalls["recall_where"], "≥ 0.99", recalls["recall_where"] >= 0.99),
        ("QPS through the interface beside zvec alone, filtered", beside, "≥ 0.6", beside >= 0.6),
    ]
    if long:
        bars.append(("QPS through the interface, filtered", ours["qps_where"], "≥ 522", ours["qps_where"] >= 522))
    return Report(f"{count:,} simulated vectors of {DIM} numbers, one processor", columns, rows, bars)


def tidy(told: dict[str, float], kind: str) -> object:
    return round(told[kind], 4) if kind.startswith("recall") else round(told[kind], 1 if kind == "build_s" else 0)


def alone(name: str, folder: Path) -> dict[str, float]:
    """In a process of its own, with one of the processors that we may use."""
    command = [sys.executable, "-m", "benchmarks.vectors", name, str(folder / "world.npz")]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
    return told


def measured(name: str, world: World, folder: Path) -> dict[str, float]:
    engine = ENGINES[name](folder)
    try:
        start_s = spent_s(engine)
        engine.build(world)
        told = {"build_s": spent_s(engine) - start_s}
        for mark, filtered, truth in (("", False, world.truth), ("_where", True, world.truth_where)):
            found, told[f"qps{mark}"] = asked(engine, world.questions, filtered=filtered)
            told[f"recall{mark}"] = recall(found, truth)
    finally:
        engine.close()
    return told


def asked(engine: Engine, questions: Floats, *, filtered: bool) -> tuple[list[list[int]], float]:
    """What was found, and questions a second of the best round; what warms up is not counted."""
    for question in questions[:20]:
        engine.search(question, filtered=filtered)
    rounds_s: list[float] = []
    while len(rounds_s) < ROUNDS and sum(rounds_s) < ENOUGH_S:
        start_s = spent_s(engine)
        found = [engine.search(question, filtered=filtered) for question in questions]
        rounds_s.append(spent_s(engine) - start_s)
    return found, len(questions) / min(rounds_s)


def spent_s(engine: Engine) -> float:
    return time.process_time() + engine.elsewhere_s()


def recall(found: list[list[int]], truth: NDArray[np.int64]) -> float:
    """What is right of what should have been found."""
    right = sum(len({*some} & {*best}) for some, best in zip(found, truth.tolist(), strict=True))
    return right / truth.size


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vectors", description="One engine, as JSON.")
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("world", type=Path)
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(options.engine, World.read(options.world), Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
