"""Spark as the lake's engine: what it needs, what it refuses, and a cluster that loses a machine in mid-question."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from vitrina.errors import DeniedError, InputError, LimitError, MissingError
from vitrina.floor.measures.queries import Marks
from vitrina.floor.measures.sums import SUMS
from vitrina.floor.simulate.chain import Chain, simulate_chain
from vitrina.floor.simulate.write import write_chain
from vitrina.floor.store import FLOOR_TABLES
from vitrina.settings import load_settings
from vitrina.storage import spark as spark_engine
from vitrina.storage.engine import open_lake
from vitrina.storage.lake import Lake
from vitrina.storage.spark import Spark, SparkLake
from vitrina.storage.table import column

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed <socket:ResourceWarning",
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning",
)

OFFLINE = Path(__file__).with_name("offline_spark.py")


@pytest.fixture(scope="module")
def chain() -> Chain:
    return simulate_chain(3, 3, end_day=date(2026, 3, 10), positions_days=0)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, chain: Chain) -> Path:
    path = tmp_path_factory.mktemp("spark") / "моя лавка" / "lake"
    write_chain(Lake(path, tables=FLOOR_TABLES), chain)
    return path


@pytest.fixture
def needs_spark() -> Iterator[None]:
    if reason := spark_engine.missing():
        pytest.skip(reason)
    yield
    gc.collect()


def test_the_engine_is_a_setting(tmp_path: Path) -> None:
    settings = load_settings({"VITRINA_HOME": str(tmp_path)})

    assert (settings.engine, settings.spark_master, settings.spark_memory_mb) == ("duckdb", "local[*]", 1536)
    assert type(open_lake(settings, FLOOR_TABLES, engine=settings.engine)) is Lake


@pytest.mark.parametrize("master", ["yarn", "spark://", "spark://host", "http://host:7077", "local[x]"])
def test_a_master_that_spark_would_not_understand_is_refused(master: str) -> None:
    with pytest.raises(InputError, match="expected local"):
        load_settings({"VITRINA_SPARK_MASTER": master})


def test_what_is_missing_is_said_with_how_to_get_it() -> None:
    reason = spark_engine.missing()
    if reason is None:
        pytest.skip("nothing is missing here")

    assert "pip install" in reason or "apt-get install" in reason
    with pytest.raises(MissingError, match="engine 'spark' needs"):
        Spark()


@pytest.mark.slow
@pytest.mark.usefixtures("needs_spark")
def test_sql_is_held_to_the_lake_and_to_its_time(path: Path) -> None:
    with Spark("local[2]", memory_mb=1024) as spark:
        lake = SparkLake(path, tables=FLOOR_TABLES, spark=spark)

        assert lake.sql("SELECT count(*) AS n FROM gaps WHERE gap_s < 0").to_pylist() == [{"n": 0}]
        with pytest.raises(InputError, match=r"SQL: .*`nope` cannot be resolved"):
            lake.sql("SELECT nope FROM visits")
        with pytest.raises(DeniedError):
            lake.sql("SELECT * FROM text.`/etc/passwd`")
        assert lake.sql("SELECT '${env:PATH}${spark.master}' AS a").to_pylist() == [{"a": "${env:PATH}${spark.master}"}]
        with pytest.raises(LimitError, match="more than 10 rows"):
            lake.sql("SELECT * FROM visits", max_rows=10)
        with pytest.raises(LimitError, match="took longer than 2 s"):
            lake.sql(
                "SELECT count(*) FROM visits a, visits b, visits c WHERE a.dwell_s + b.dwell_s < c.dwell_s", timeout_s=2
            )


@pytest.mark.slow
@pytest.mark.usefixtures("needs_spark")
def test_a_column_that_was_thought_of_later_is_null_in_older_files(path: Path) -> None:
    visits = FLOOR_TABLES["visits"]
    newer = replace(visits, schema=visits.schema.append(column("loud", pa.bool_(), "New.", nullable=True)))
    question = "SELECT count(*) > 0 AS any, count(loud) AS loud FROM visits"

    with Spark("local[2]", memory_mb=1024) as spark:
        lakes = [Lake(path, tables={"visits": newer}), SparkLake(path, tables={"visits": newer}, spark=spark)]
        answers = [lake.sql(question).to_pylist() for lake in lakes]

    assert answers == [[{"any": True, "loud": 0}]] * 2


@pytest.mark.slow
@pytest.mark.usefixtures("needs_spark")
def test_a_cluster_that_loses_a_worker_in_mid_question_still_answers(path: Path, chain: Chain) -> None:
    from benchmarks.spark_cluster import SparkCluster

    marks = Marks.of(chain.shops[0])
    query, plain = SUMS["steps"], Lake(path, tables=FLOOR_TABLES)

    def steps(lake: Lake) -> list[tuple[object, ...]]:
        answer = query({name: lake.expr(name) for name in FLOOR_TABLES}, marks).to_pyarrow()
        return sorted(map(tuple, (row.values() for row in answer.to_pylist())))

    with SparkCluster(workers=2, memory_mb=1536) as cluster, Spark(cluster.address, memory_mb=1024) as spark:
        lake, answers = SparkLake(path, tables=FLOOR_TABLES, spark=spark), []
        expected = steps(plain)
        assert steps(lake) == expected
        asking = threading.Thread(target=lambda: answers.extend(steps(lake) for _ in range(3)))
        asking.start()
        _wait_for_work(spark)
        cluster.lose_a_worker()
        asking.join(timeout=240)

        assert answers == [expected] * 3


def _wait_for_work(spark: Spark, longest_s: float = 60.0) -> None:
    tracker, until = spark.session.sparkContext.statusTracker(), time.monotonic() + longest_s
    while not any((stage := tracker.getStageInfo(i)) and stage.numActiveTasks for i in tracker.getActiveStageIds()):
        assert time.monotonic() < until, "no task of the question was seen running"
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.usefixtures("needs_spark")
def test_spark_answers_in_a_process_that_has_no_network(path: Path) -> None:
    done = subprocess.run([sys.executable, str(OFFLINE), str(path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) == Lake(path, tables=FLOOR_TABLES).expr("visits").count().to_pyarrow().as_py()
