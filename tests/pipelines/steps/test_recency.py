"""A half-life that evaluate chose: everything downstream is as if the configuration had said it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.steps.run import run
from pipelines.steps.summaries import JobSummary
from pipelines.steps.workspace import Workspace
from recsys.artifacts.bundle import Bundle
from recsys.artifacts.registry import Registry
from recsys.data.interactions import Interactions
from recsys.data.matrix import InteractionMatrix
from recsys.engine import Engine, Event
from recsys.engine.event_history import weigh, weights_of
from recsys.errors import DataError
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

CONFIG = """
workspace = "work"
[log]
paths = ["log.csv"]
user = "user"
item = "item"
timestamp = "time"
[items]
path = "items.csv"
exclude = 'kind = "gift card"'
attributes = ["kind"]
[prepare]
min_user_items = 5
[evaluate]
holdout = "5d"
cutoffs = [5, 20]
baselines = ["popular"]
bootstrap = 50
[model]
factors = 8
weighting = "log"
alpha = 10.0
regularization = 10.0
start = "spectral"
iterations = 2
early_stopping = false
neighbours = 0
popularity_exponent = 0.0
session_weight = 1.0
[publish]
store = "store"
must_beat_popular = false
"""
ITEMS = ["item,kind", "i000,gift card", *(f"i{group}{item:02d},book" for group in range(4) for item in range(1, 20))]
LIGHT = [
    f"light{user},i1{user + item:02d},{1_700_000_000 + 86_400 * 20 * item}" for user in range(9) for item in (1, 9)
]

Night = tuple[PipelineConfig, JobSummary, Bundle]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_drifting_log: Callable[[Path], None]) -> Path:
    folder = tmp_path_factory.mktemp("drift")
    write_drifting_log(folder / "log.csv")
    with (folder / "log.csv").open("a") as log:
        log.write("\n".join(LIGHT) + "\n")
    (folder / "items.csv").write_text("\n".join([*ITEMS, "unsold,book", ""]))
    (folder / "pipeline.toml").write_text(CONFIG)
    return folder


def night(folder: Path, **overrides: Any) -> Night:
    config = load_config(folder / "pipeline.toml", overrides={k.replace("__", "."): v for k, v in overrides.items()})
    summary = run(config, progress=silent)
    return config, summary, Registry(config.publish.store).load()


@pytest.fixture(scope="module")
def found(folder: Path) -> Night:
    return night(folder)


def days_of(found: Night) -> float:
    choice = found[1].evaluate.choice
    assert choice is not None
    assert choice.half_life_days is not None
    return choice.half_life_days


def test_it_is_the_version_that_the_half_life_in_the_file_would_give(folder: Path, found: Night) -> None:
    """Matrix, popularity, users who are folded in, vectors and settings: the name says that all of them are equal."""
    days = days_of(found)
    _, summary, bundle = night(folder, prepare__half_life_days=days, publish__store="other", workspace="other_work")
    assert summary.evaluate.choice is not None
    assert summary.evaluate.choice.prepare == {}
    assert bundle.manifest.config["prepare"]["half_life_days"] == days
    assert (bundle.history != found[2].history).nnz == 0
    np.testing.assert_array_equal(bundle.popularity, found[2].popularity)
    np.testing.assert_array_equal(bundle.model.embeddings.items, found[2].model.embeddings.items)
    assert summary.prepare.cleaning == found[1].train.cleaning
    assert summary.evaluate.means == found[1].evaluate.means
    assert bundle.manifest.version == found[2].manifest.version


def test_prepare_wrote_what_has_not_decayed(found: Night) -> None:
    before = InteractionMatrix.load(Workspace(found[0].workspace).folder("prepare") / "matrix").csr
    assert before.nnz == found[2].history.nnz
    assert found[2].history.sum() < 0.9 * before.sum()


def test_the_rows_of_the_log_weigh_what_was_stored_and_give_the_same_list(found: Night) -> None:
    config, _, bundle = found
    events = Interactions.load(Workspace(config.workspace).folder("prepare") / "events")
    engine, folded = Engine(bundle), bundle.folded_in
    assert folded is not None
    assert events.timestamp is not None
    histories = [(bundle.users, bundle.history, range(0, len(bundle.users), 23)), (folded.users, folded.history, [0])]
    for users, history, some in histories:
        for user in some:
            user_id = users.id_at(user)
            rows = np.flatnonzero(events.user_idx == events.users.position(user_id))
            told = [
                Event(events.items.id_at(int(events.item_idx[row])), None, 1.0, float(events.timestamp[row]))
                for row in rows
            ]
            weighed = weigh(told, bundle.items.ids, weights_of(bundle.manifest))
            np.testing.assert_array_equal(weighed.item_idx, history[user].indices)
            np.testing.assert_array_equal(weighed.weight, history[user].data)
    assert engine.recommend(bundle.users.id_at(0)).items


def test_content_is_over_the_items_of_the_version(folder: Path, found: Night) -> None:
    config, summary, bundle = night(
        folder,
        content=[{"name": "words", "encoder": "tfidf", "columns": ["kind"], "min_items": 1}],
        publish__store="with_content",
        workspace="content_work",
    )
    assert days_of((config, summary, bundle)) == days_of(found)
    assert bundle.content is not None
    assert len(bundle.content.sources[0].vectors) == len(bundle.items.ids)


def test_it_is_told(found: Night) -> None:
    config, summary, _ = found
    assert f"prepare.half_life_days {days_of(found):g}" in summary.evaluate.sentence()
    report = json.loads(Workspace(config.workspace).report_json.read_text())
    assert report["choice"]["prepare"] == {"half_life_days": days_of(found)}
    assert report["settings"]["prepare"]["half_life_days"] == days_of(found)
    assert f"prepare.half_life_days {days_of(found):g}" in Workspace(config.workspace).report_html.read_text()


def test_the_next_night_begins_with_it(folder: Path, found: Night) -> None:
    _, summary, _ = night(folder)
    assert summary.evaluate.choice is not None
    assert summary.evaluate.choice.kept_from == found[2].manifest.version
    assert summary.evaluate.choice.half_life_days == days_of(found)
    assert summary.publish.unchanged


def test_no_decay_that_is_set_is_another_configuration(folder: Path, found: Night) -> None:
    fixed = load_config(folder / "pipeline.toml", overrides={"prepare.half_life_days": "none"})
    with pytest.raises(DataError, match=r"\[prepare\] has changed"):
        run(fixed, steps=("train",), progress=silent)
