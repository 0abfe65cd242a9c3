"""The session of Spark that a job works in: the one that is open, or a new one; and why there can be none."""

import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.config import ComputeConfig
from recsys.errors import ConfigError
from recsys.extras import install
from recsys.spark.accumulators import quiet_when_java_ends
from recsys.spark.starting import java_errors, read_all, why

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLDEST_JAVA = 17

_PYSPARK = f'compute.engine = "spark": pyspark is not installed; {install("spark")} (docs/spark.md)'
_JAVA = (
    f'compute.engine = "spark": Spark needs Java {OLDEST_JAVA} or newer, {{found}}; install it '
    f"(apt-get install openjdk-{OLDEST_JAVA}-jre-headless) or set JAVA_HOME (docs/spark.md)"
)

_ALWAYS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1000000",  # a row may be a block of vectors: bytes bound a batch
    "spark.sql.execution.arrow.maxBytesPerBatch": "64m",
    "spark.sql.adaptive.coalescePartitions.enabled": "false",  # a partition is a block, whatever its bytes
}
"""What the job relies on."""

_BY_DEFAULT = {
    "spark.app.name": "recsys",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.driver.memory": "2g",
}
"""What `compute.conf`, spark-submit and spark-defaults.conf may say otherwise."""

_LOGGING = Path(__file__).with_name("log4j2.properties").as_uri()

_ON_THIS_MACHINE = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": str(4 * (os.cpu_count() or 1)),  # its 200 are tasks of a tenth of a second each
}
"""Of a `local` master: nobody else may ask, and a shuffle has no more parts than pay."""


def open_session(compute: ComputeConfig) -> "SparkSession":
    """The session that is open in this process, else a new one of `compute`.

    An open session keeps its cluster; what can still be set of `compute.conf` is set. Raises ConfigError if pyspark
    or Java is missing or too old, or Spark does not start, with what to do.
    """
    check_installed()
    from pyspark.sql import SparkSession

    if (session := SparkSession.getActiveSession()) is None:
        session = _new_session(compute)
    for key, value in {**compute.conf, **_ALWAYS}.items():
        try:
            if session.conf.isModifiable(key):
                session.conf.set(key, value)
        except Exception as error:  # of py4j and Java, in several types
            raise ConfigError(f"compute.conf: {key}: {why(error)}") from None
    return session


@contextmanager
def session_of(compute: ComputeConfig) -> Iterator["SparkSession"]:
    """The session of `open_session` while the block runs; one that was opened for it is stopped with it."""
    check_installed()
    from pyspark.sql import SparkSession

    before = SparkSession.getActiveSession()
    session = open_session(compute)
    try:
        yield session
    finally:
        if before is None:
            with suppress(Exception):  # of a Java that has ended, which is told by what the block raised
                session.stop()


def check_installed() -> None:
    """Raise ConfigError, with what to install, if pyspark or Java is missing or too old."""
    if find_spec("pyspark") is None:
        raise ConfigError(_PYSPARK)
    if (found := _java_version()) is None:
        raise ConfigError(_JAVA.format(found="and none was found"))
    if found < OLDEST_JAVA:
        raise ConfigError(_JAVA.format(found=f"got Java {found}"))


def _java_version() -> int | None:
    """The first number of the version of the Java that Spark would start, None if there is none."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if program is None:
        return None
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60, check=True).stderr
        if found := re.search(r'version "(?:1\.)?(\d+)', told):
            return int(found[1])
    return None


def _new_session(compute: ComputeConfig) -> "SparkSession":
    from pyspark.sql import SparkSession

    _same_python()
    for name in (None, "py4j.java_gateway", "py4j.clientserver"):  # py4j logs some of it by the root logger
        logging.getLogger(name).addFilter(_is_not_of_py4j)
    warnings.filterwarnings(
        "ignore", "PySpark does not yet fully support pandas", FutureWarning
    )  # none goes through it
    quiet_when_java_ends()
    builder = SparkSession.builder
    for key, value in _settings(compute).items():
        builder = builder.config(key, value)
    with java_errors() as told:
        try:
            return builder.getOrCreate()
        except Exception as error:  # of py4j and Java, in several types
            where = compute.master or "this machine"
            reason = why(error, read_all(told))
            raise ConfigError(f'compute.engine = "spark": does not start on {where}: {reason}') from None


def _settings(compute: ComputeConfig) -> Mapping[str, str]:
    """For a new session. What spark-submit gave is already in its own configuration, and is not set here."""
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    settings = {} if submitted else {**_BY_DEFAULT}
    if compute.master is not None:
        settings["spark.master"] = compute.master
    elif not submitted:
        settings["spark.master"] = "local[*,4]"  # a task that fails is tried again, as on a cluster
    if settings.get("spark.master", "").startswith("local"):
        settings |= {**_ON_THIS_MACHINE, **_in_temporary_folder()}
    return {**settings, **compute.conf, **_ALWAYS}


def _in_temporary_folder() -> Mapping[str, str]:
    """Only errors are told; and what a killed Spark leaves lies in the folder that is removed after the job."""
    folder, options = tempfile.gettempdir(), f"-Dlog4j2.configurationFile={_LOGGING}"
    if not re.search(r"\s", folder):
        options += f" -Djava.io.tmpdir={folder}"
    return {
        "spark.driver.extraJavaOptions": options,
        "spark.local.dir": folder,
        "spark.sql.warehouse.dir": str(Path(folder, f"spark-warehouse-{os.getpid()}")),  # not the working folder
    }


def _is_not_of_py4j(record: logging.LogRecord) -> bool:
    """Whether it was not py4j that told it: it logs, with a stack, what it raises as well."""
    return Path(record.pathname).parent.name != "py4j"


def _same_python() -> None:
    """Executors on this machine run this Python; on a cluster `spark.pyspark.python` says which."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
