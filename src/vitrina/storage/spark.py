"""The same lake asked through Spark, for a chain that has outgrown one machine.

    spark = Spark("spark://head-office:7077", memory_mb=4096)
    lake = SparkLake(settings.lake, tables=FLOOR_TABLES, spark=spark)
    lake.expr("crossings").group_by("shop_id").count().to_pyarrow()

Writing and upkeep are the lake's own. Spark reads the Parquet files that the Delta log names, so it needs no Delta
library, and nothing is downloaded. Every machine of a cluster must see the lake under the same path.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import re
import socket
import subprocess
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import pyarrow as pa

from vitrina.errors import InputError, LimitError, MissingError, StorageError
from vitrina.product import new_id
from vitrina.storage.lake import Lake
from vitrina.storage.spark_sql import checked_select
from vitrina.storage.table import TableSpec

if TYPE_CHECKING:
    from ibis.expr.types import Table
    from pyspark.sql import DataFrame, SparkSession

OLDEST_JAVA = 17
GET_JAVA = "apt-get install openjdk-17-jre-headless"
GET_PYSPARK = "pip install 'vitrina[spark]'"

CANCEL_EVERY_S = 0.2
_VIEWS_KEPT = 256
_NO_SCAN_JOBS = 1_000_000
"""Files are listed by the driver alone: a Spark job for every list of files costs more than the listing."""

_TYPES = {
    pa.string(): "STRING",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us", "UTC"): "TIMESTAMP",
}
"""Types that a table of the lake may have, and their names in Spark."""


def java_version() -> int | None:
    """Major version of the Java that Spark would start: `JAVA_HOME`'s, else the first on the path; None without one."""
    command = ["/bin/sh", "-c", 'exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version']
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a constant
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(found[1]) if done.returncode == 0 and found else None


def missing() -> str | None:
    """What Spark lacks here and how to get it; None when it can start."""
    if importlib.util.find_spec("pyspark") is None:
        return f"engine 'spark' needs PySpark, which is not installed: {GET_PYSPARK}"
    java = java_version()
    if java is None:
        return f"engine 'spark' needs Java {OLDEST_JAVA} or newer, and there is none: {GET_JAVA}, or set JAVA_HOME"
    if java < OLDEST_JAVA:
        return f"engine 'spark' needs Java {OLDEST_JAVA} or newer, got {java}: {GET_JAVA}, or set JAVA_HOME"
    return None


class Spark:
    """A Spark session that starts with the first question. One per process, because Spark has one per process.

    master: `local[*]` for the processors of this machine, `spark://host:port` for a stand-alone cluster.
    memory_mb: for the process here, and for each worker's. Whatever else Spark can be told stands in the
    `spark-defaults.conf` of `SPARK_CONF_DIR`. Raises MissingError when PySpark or Java is not there.
    """

    def __init__(self, master: str = "local[*]", *, memory_mb: int = 1536) -> None:
        if reason := missing():
            raise MissingError(reason)
        self._master, self._memory_mb = master, memory_mb
        self._lock = threading.Lock()
        self._session: SparkSession | None = None
        self._views: OrderedDict[str, None] = OrderedDict()

    @property
    def session(self) -> SparkSession:
        with self._lock:
            if self._session is None:
                self._session = _start(self._options())
            return self._session

    def view(self, spec: TableSpec, files: Sequence[str]) -> str:
        """The name that means these files in SQL."""
        name = f"{spec.name}_{hashlib.sha256(chr(10).join(files).encode()).hexdigest()[:16]}"
        session = self.session
        with self._lock:
            if name not in self._views:
                _frame(session, spec, files).createOrReplaceTempView(name)
            self._views[name] = None
            self._views.move_to_end(name)
            if len(self._views) > _VIEWS_KEPT:
                session.catalog.dropTempView(self._views.popitem(last=False)[0])
        return name

    def close(self) -> None:
        with self._lock:
            if self._session is not None:
                _stop(self._session)
            self._session = None
            self._views.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _options(self) -> dict[str, str]:
        address = "127.0.0.1" if self._master.startswith("local") else _own_address(self._master)
        log = f"-Dlog4j2.configurationFile=file:{package_files('vitrina.storage') / 'spark.log4j2.properties'}"
        return {
            "spark.master": self._master,
            "spark.app.name": "vitrina",
            "spark.driver.host": address,
            "spark.driver.bindAddress": address,
            "spark.driver.memory": f"{self._memory_mb}m",
            "spark.executor.memory": f"{self._memory_mb}m",
            "spark.driver.extraJavaOptions": log,
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.runSQLOnFiles": "false",
            "spark.sql.variable.substitute": "false",  # or '${env:NAME}' in a question tells this process' environment
            "spark.sql.catalogImplementation": "in-memory",
            "spark.sql.sources.parallelPartitionDiscovery.threshold": str(_NO_SCAN_JOBS),
            "spark.sql.shuffle.partitions": "32",
            "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        }


class SparkLake(Lake):
    """The lake, with its questions answered by Spark. Safe to use from several threads."""

    dialect = "pyspark"

    def __init__(self, path: Path, *, spark: Spark, **options: Any) -> None:
        if any(letter in str(path) for letter in "{}\\,"):
            raise InputError(f"the lake's folder may have no {{, }}, \\ or comma in its path for Spark, got {path}")
        super().__init__(path, **options)
        self._spark = spark
        self._backends = threading.local()

    def connect(self) -> Any:
        """The calling thread's Ibis backend over the process' Spark session."""
        if not hasattr(self._backends, "backend"):
            self._backends.backend = _backend_class()()
            self._backends.backend.do_connect(self._spark.session)
        return self._backends.backend

    def expr(self, table: str, *, shop_id: str | None = None, days: tuple[date, date] | None = None) -> Table:
        """The table as it is now, as an Ibis expression over Spark; of one shop, of business days."""
        import ibis
        from ibis.expr.operations import DatabaseTable

        name = self.relation(table, self.files(table, shop_id=shop_id, days=days))
        # Any column might be null, as in DuckDB's views: what is made of a column must be of one type with it.
        schema = ibis.Schema.from_pyarrow(pa.schema([field.with_nullable(True) for field in self._spec(table).schema]))
        return DatabaseTable(name=name, schema=schema, source=self.connect()).to_expr()

    def relation(self, table: str, files: Sequence[str]) -> str:
        return self._spark.view(self._spec(table), files)

    def run(self, sql: str) -> pa.Table:
        with _explained():
            answer: pa.Table = self._spark.session.sql(sql).toArrow()
        return answer

    def sql(self, query: str, *, timeout_s: float = 60.0, max_rows: int = 1_000_000) -> pa.Table:
        """The answer to one SELECT in Spark's SQL, which sees the lake's tables and nothing else.

        Raises InputError, DeniedError or LimitError.
        """
        select = checked_select(query, self.tables)
        session = self._spark.session.newSession()  # views of its own
        for name in select.tables:
            _frame(session, self._spec(name), self.files(name)).createTempView(name)
        with _interrupted_after(session, timeout_s), _explained():
            answer: pa.Table = session.sql(select.sql).limit(max_rows + 1).toArrow()
        if answer.num_rows > max_rows:
            raise LimitError(f"the answer has more than {max_rows} rows; add a LIMIT or group the rows")
        return answer


def _frame(session: SparkSession, spec: TableSpec, files: Sequence[str]) -> DataFrame:
    """The table's columns out of these files, and the same columns without rows when there are none."""
    if not files:
        columns = ", ".join(f"CAST(NULL AS {_TYPES[field.type]}) AS `{field.name}`" for field in spec.schema)
        return session.sql(f"SELECT {columns} WHERE FALSE")
    schema = ", ".join(f"`{field.name}` {_TYPES[field.type]}" for field in spec.schema)
    return session.read.schema(schema).parquet(*files)


def _start(options: Mapping[str, str]) -> SparkSession:
    """A session in a Java process of our own. Raises StorageError with what Java said when it does not come up."""
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkRuntimeError
    from pyspark.java_gateway import launch_gateway
    from pyspark.logger import PySparkLogger
    from pyspark.sql import SparkSession

    # It writes every error with Java's whole stack, which our exceptions tell in one line.
    PySparkLogger.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    conf = SparkConf(loadDefaults=False).setAll(list(options.items()))
    with tempfile.TemporaryFile() as said:
        try:
            gateway = launch_gateway(conf, popen_kwargs={"stderr": said, "stdout": said})
            return SparkSession(SparkContext(gateway=gateway, conf=conf))
        except (PySparkRuntimeError, Py4JError) as error:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            raise StorageError(f"Spark did not start: {lines[-1] if lines else error}") from error


def _stop(session: SparkSession) -> None:
    """End the session and its Java, so that another may start with options of its own."""
    from pyspark import SparkContext

    session.stop()
    gateway = SparkContext._gateway
    SparkContext._gateway = SparkContext._jvm = None
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()  # Java ends with it
        gateway.proc.wait()


def _own_address(master: str) -> str:
    """The address of this machine as the cluster sees it. Connects to nothing: the route says it."""
    target = urlsplit(master.split(",")[0])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((target.hostname or "", target.port or 7077))
            return str(probe.getsockname()[0])
    except (OSError, ValueError) as error:
        raise InputError(f"spark_master: expected local[*] or spark://host:port, got {master!r}: {error}") from error


@cache
def _backend_class() -> Any:
    """Ibis for Spark, with answers that go by Arrow: the way over pandas makes floats of whole numbers."""
    from ibis.backends.pyspark import Backend
    from ibis.formats.pyarrow import PyArrowData

    class ArrowBackend(Backend):  # type: ignore[misc]
        def to_pyarrow(self, expr: Any, /, *, params: Any = None, limit: Any = None, **options: Any) -> Any:
            table = expr.as_table()
            self._run_pre_execute_hooks(table)
            with _explained():
                answer = self._session.sql(self.compile(table, params=params, limit=limit, **options)).toArrow()
            return expr.__pyarrow_result__(PyArrowData.convert_table(answer, table.schema()))

        def _register_in_memory_table(self, op: Any) -> None:
            frame = self._session.createDataFrame(op.data.to_pyarrow(op.schema))
            frame.createOrReplaceTempView(op.name)

        def execute(self, expr: Any, /, *, params: Any = None, limit: Any = None, **options: Any) -> Any:
            answer = self.to_pyarrow(expr.as_table(), params=params, limit=limit, **options)
            return expr.__pandas_result__(answer.to_pandas())

    ArrowBackend().register_options()
    return ArrowBackend


@contextmanager
def _interrupted_after(session: SparkSession, timeout_s: float) -> Iterator[None]:
    """End this thread's jobs when the time is over. Raises LimitError then.

    Spark asks its tasks to end and does not force them: one in the middle of a large join may work on for a while.
    """
    context, group = session.sparkContext, f"question-{new_id()}"
    answered, over = threading.Event(), threading.Event()

    def interrupt() -> None:
        """Again and again, because a question has many jobs, and none while it is planned."""
        if answered.wait(timeout_s):
            return
        over.set()
        while not answered.wait(CANCEL_EVERY_S):
            context.cancelJobGroup(group)

    timer = threading.Thread(target=interrupt, daemon=True)
    context.setJobGroup(group, "a question", interruptOnCancel=True)
    timer.start()
    try:
        yield
    except StorageError as error:
        if over.is_set():
            raise LimitError(f"the question took longer than {timeout_s:g} s; ask for fewer days or shops") from error
        raise
    finally:
        answered.set()
        timer.join()
        context.setLocalProperty("spark.jobGroup.id", None)


@contextmanager
def _explained() -> Iterator[None]:
    from py4j.protocol import Py4JError
    from pyspark.errors import AnalysisException, ParseException, PySparkException

    try:
        yield
    except (AnalysisException, ParseException) as error:
        raise InputError(f"SQL: {_first_line(error)}") from error
    except (PySparkException, Py4JError) as error:
        raise StorageError(f"Spark could not answer: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
