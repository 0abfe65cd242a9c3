"""A small shop's events, and a configuration for them."""

import pytest

from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.interactions import Interactions
from recsys.data.synthetic import write_synthetic_log
from recsys.pipeline_config import PipelineConfig, parse_config

TREE = {
    "log": {
        "paths": ["events/*.csv"],
        "user": "user_id",
        "item": "item_id",
        "timestamp": "timestamp",
        "event": "event",
        "value": "quantity",
        "max_future": "3650d",
        "event_weights": {"view": 1.0, "cart": 3.0, "purchase": 5.0},
    },
    "prepare": {"deduplicate": True, "max_user_events": 900, "half_life_days": "none"},
    "evaluate": {"cutoffs": [5, 20], "bootstrap": 50},
    "model": {"auto": False, "factors": 8, "alpha": 3.0, "regularization": 10.0, "iterations": 3},
}


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> PipelineConfig:
    """The configuration of a shop with 300 readers; its log is on disk."""
    folder = tmp_path_factory.mktemp("shop")
    write_synthetic_log(
        folder, n_users=300, n_items=120, n_events=9_000, seed=5, bots=1, dirty_rows=160, compress=False
    )
    return parse_config(TREE, base=folder)


@pytest.fixture(scope="session")
def events(config: PipelineConfig) -> Interactions:
    """The shop's log."""
    return read_log(FileSource.of(config.log), config.log)[0]
