"""A small book shop's log on disk, a configuration for it, and one finished run to look at."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps.run import run
from recsys.data.synthetic import SyntheticLog, write_synthetic_log
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

CONFIG = """
workspace = "work"
[log]
paths = ["events/*.csv"]
user = "user_id"
item = "item_id"
timestamp = "timestamp"
event = "event"
value = "quantity"
max_future = "3650d"
[log.event_weights]
view = 1.0
cart = 3.0
purchase = 5.0
[items]
path = "items.csv"
id = "item_id"
title = "title"
attributes = ["genre", "price"]
[prepare]
deduplicate = true
max_user_events = 900
[evaluate]
cutoffs = [5, 20]
bootstrap = 50
[model]
factors = 8
alpha = 3.0
regularization = 10.0
iterations = 3
"""

Recsys = Callable[..., "subprocess.CompletedProcess[str]"]


def write_shop(folder: Path) -> SyntheticLog:
    """Events, items and pipeline.toml of a shop with 300 readers, one of them a bot."""
    log = write_synthetic_log(
        folder, n_users=300, n_items=120, n_events=9_000, seed=5, bots=1, dirty_rows=160, compress=False
    )
    (folder / "pipeline.toml").write_text(CONFIG, encoding="utf-8")
    return log


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A fresh shop, nothing run on it yet; the path of its configuration."""
    write_shop(tmp_path)
    return tmp_path / "pipeline.toml"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[PipelineConfig, SyntheticLog, dict[str, Any]]:
    """A shop on which the whole job has run: its configuration, what was planted, the summaries. Only to be read."""
    folder = tmp_path_factory.mktemp("finished")
    log = write_shop(folder)
    config = load_config(folder / "pipeline.toml")
    return config, log, run(config, progress=silent)


@pytest.fixture
def recsys() -> Recsys:
    """The real command line in a process of its own."""

    def call(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "pipelines", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)

    return call
