"""The session: what is installed is checked first, an open session is used and kept, settings go through."""

import tempfile
from pathlib import Path
from urllib.parse import urlparse

import pytest

from recsys.config import ComputeConfig
from recsys.errors import ComputeError, ConfigError
from recsys.spark import session as sessions
from recsys.spark.session import check_installed, open_session, session_of


def a_java(folder: Path, version: str) -> None:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)


@pytest.mark.parametrize(("version", "found"), [("1.8.0_392", "got Java 8"), ("11.0.2", "got Java 11")])
def test_an_old_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, found: str) -> None:
    monkeypatch.setattr(sessions, "find_spec", lambda name: object())
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    a_java(tmp_path, version)
    with pytest.raises(ConfigError, match=rf"needs Java 17 or newer, {found}; install it .*openjdk-17"):
        check_installed()


def test_no_java_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "find_spec", lambda name: object())
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="none was found"):
        check_installed()


def test_a_missing_pyspark_is_said_before_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pyspark is not installed; .*locks/spark\.lock"):
        check_installed()


@pytest.mark.parametrize("version", ["17.0.15", "21", "25-ea"])
def test_a_java_that_is_new_enough_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(sessions, "find_spec", lambda name: object())
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    a_java(tmp_path, version)
    check_installed()


def test_an_open_session_is_used_and_kept(spark) -> None:
    compute = ComputeConfig(engine="spark", conf={"spark.sql.shuffle.partitions": "7"})
    before = spark.conf.get("spark.sql.shuffle.partitions")
    with session_of(compute) as session:
        assert session is spark is open_session(compute)
        assert session.conf.get("spark.sql.shuffle.partitions") == "7"
    assert spark.range(3).count() == 3
    spark.conf.set("spark.sql.shuffle.partitions", before)


class _Ended:
    """A session whose Java has ended."""

    def stop(self) -> None:
        raise ConnectionRefusedError(111, "Connection refused")


def test_a_java_that_has_ended_does_not_hide_what_failed(spark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(spark), "getActiveSession", lambda: None)
    monkeypatch.setattr(sessions, "open_session", lambda compute: _Ended())
    with pytest.raises(ComputeError, match="what failed"), session_of(ComputeConfig(engine="spark")):
        raise ComputeError("what failed")


def test_what_a_killed_java_leaves_lies_in_the_folder_for_temporary_files(spark) -> None:
    assert spark.conf.get("spark.local.dir") == tempfile.gettempdir()
    assert Path(urlparse(spark.conf.get("spark.sql.warehouse.dir")).path).parent == Path(tempfile.gettempdir())
    assert spark.sparkContext._jvm.java.lang.System.getProperty("java.io.tmpdir") == tempfile.gettempdir()
