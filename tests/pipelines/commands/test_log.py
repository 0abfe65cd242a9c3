"""The log of a night on standard error: with times, or as JSON; and what `recsys --version` says."""

import json
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.steps.workspace import STEPS
from recsys.artifacts.registry import Registry

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")


@pytest.mark.parametrize("option", [["--log-format", "json"], []])
def test_a_night_as_json_lines(recsys: Any, shop: Path, monkeypatch: pytest.MonkeyPatch, option: list[str]) -> None:
    if not option:
        monkeypatch.setenv("RECSYS_LOG_FORMAT", "json")
    lines = [json.loads(line) for line in recsys("run", shop, *option).stderr.splitlines()]
    steps = {line["step"]: line for line in lines if "step" in line}
    assert tuple(steps) == STEPS
    assert all(line["seconds"] >= 0 and len(line["fingerprint"]) == 16 for line in steps.values())
    assert all(line["rows_in"] > 0 and line["rows_out"] > 0 for line in steps.values())
    assert (steps["prepare"]["rows_in"], steps["prepare"]["rows_out"]) == (9_160, 9_000)
    assert steps["publish"]["version"] == Registry(shop.parent / "store").current()
    assert lines[-1]["outcome"]["light"] == "good"


def test_no_user_is_named(recsys: Any, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_LOG_LEVEL", "info")
    log = recsys("run", published).stderr
    users = Registry(published.parent / "store").load().users
    words = set(re.findall(r"\w+", log))
    assert not words & set(users.decode(range(len(users))))


def test_every_line_has_the_time_if_nobody_watches(recsys: Any, shop: Path) -> None:
    for line in recsys("prepare", shop).stderr.splitlines():
        assert TIME.match(line), line


def test_what_is_wrong_is_a_json_line_too(recsys: Any, published: Path) -> None:
    (line,) = recsys("prepare", published, "--log-format", "json", "--set", "items.id=sku").stderr.splitlines()
    assert (json.loads(line)["level"], json.loads(line)["error"]) == ("error", "DataError")
    refused = recsys("run", published, "--log-format", "json", "--set", "model.regularization=1e6")
    assert refused.returncode == 3
    assert json.loads(refused.stderr.splitlines()[-1])["outcome"]["light"] == "bad"


@pytest.mark.parametrize(("variable", "value"), [("RECSYS_LOG_FORMAT", "xml"), ("RECSYS_LOG_LEVEL", "loud")])
def test_unknown_settings_of_the_log_are_named(
    recsys: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    ended = recsys("doctor")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert variable in ended.stderr
    assert value in ended.stderr.lower()


def test_the_version_names_what_models_depend_on(recsys: Any) -> None:
    shown = recsys("--version")
    assert shown.returncode == 0
    assert re.match(rf"recsys \d+\.\d+\S*, Python {re.escape(platform.python_version())}\n", shown.stdout)
    assert f"numpy {np.__version__}" in shown.stdout
