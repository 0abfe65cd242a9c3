"""A small book shop's log on disk, a configuration for it, and one finished run to look at."""

import shutil
from pathlib import Path

import pytest

from pipelines.steps.run import run
from pipelines.steps.summaries import JobSummary
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
holdout = "28d"
cutoffs = [5, 20]
baselines = ["popular", "item_knn"]
bootstrap = 50
[model]
auto = false
factors = 8
alpha = 3.0
regularization = 10.0
iterations = 3
"""

Finished = tuple[PipelineConfig, SyntheticLog, JobSummary]


def write_shop(folder: Path) -> SyntheticLog:
    """Events, items and pipeline.toml of a shop with 300 readers, one of them a bot."""
    log = write_synthetic_log(
        folder, n_users=300, n_items=120, n_events=9_000, seed=5, bots=1, dirty_rows=160, compress=False
    )
    (folder / "pipeline.toml").write_text(CONFIG, encoding="utf-8")
    return log


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SyntheticLog]:
    """The shop's folder, written once and only copied from, and what was planted in its log."""
    folder = tmp_path_factory.mktemp("shop") / "shop"
    folder.mkdir()
    return folder, write_shop(folder)


@pytest.fixture
def shop(written: tuple[Path, SyntheticLog], tmp_path: Path) -> Path:
    """A fresh shop, nothing run on it yet; the path of its configuration."""
    return shutil.copytree(written[0], tmp_path, dirs_exist_ok=True) / "pipeline.toml"


@pytest.fixture
def published(finished: Finished, tmp_path: Path) -> Path:
    """A shop on which the whole job has run, to go on with; the path of its configuration."""
    return shutil.copytree(finished[0].workspace.parent, tmp_path, dirs_exist_ok=True) / "pipeline.toml"


@pytest.fixture(scope="session")
def finished(written: tuple[Path, SyntheticLog], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A shop on which the whole job has run: its configuration, what was planted, the summaries. Only to be read."""
    folder = shutil.copytree(written[0], tmp_path_factory.mktemp("finished") / "shop")
    config = load_config(folder / "pipeline.toml")
    return config, written[1], run(config, progress=silent)
