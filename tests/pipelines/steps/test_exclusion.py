"""items.exclude: no list shows the items, their events are counted and do not count, they are still known."""

import logging
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps.prepare import prepare
from pipelines.steps.report import load_evidence
from pipelines.steps.run import run
from pipelines.steps.summaries import PrepareSummary
from pipelines.steps.workspace import Workspace
from recsys.artifacts.registry import Registry
from recsys.engine import Engine
from recsys.errors import ConfigError
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

EVENTS = "user,item,time\n" + "".join(
    f"u{at % 7},i{(at * at + at // 7) % 12:02},{1_600_000_000 + 3600 * at}\n" for at in range(160)
)
ITEMS = "id,name,kind\n" + "".join(f"i{at:02},T{at},{'post' if at % 4 == 0 else 'book'}\n" for at in range(13))
EXCLUDED = {"i00", "i04", "i08", "i12"}
CONFIG = """
[log]
paths = ["events.csv"]
timestamp = "time"
[items]
path = "items.csv"
id = "id"
title = "name"
attributes = ["kind"]
[evaluate]
split = "last_n"
baselines = ["popular"]
bootstrap = 10
cutoffs = [5]
[model]
auto = false
factors = 4
early_stopping = false
[publish]
metric = "ndcg@5"
must_beat_popular = false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("events.csv", EVENTS), ("items.csv", ITEMS), ("pipeline.toml", CONFIG)):
        (tmp_path / name).write_text(text)
    return tmp_path


def configured(folder: Path, exclude: str, **more: Any) -> PipelineConfig:
    return load_config(folder / "pipeline.toml", overrides={"items.exclude": exclude, **more})


def prepared(folder: Path, exclude: str) -> PrepareSummary:
    config = configured(folder, exclude)
    return prepare(config, Workspace(config.workspace), progress=silent)


def test_no_list_shows_an_excluded_item_and_it_is_still_known(folder: Path) -> None:
    config = configured(folder, "kind = 'post'")
    done = run(config, progress=silent, announce=lambda *_: None)
    engine = Engine(Registry(config.publish.store).load())
    shown = [
        *engine.recommend("u1", k=20, exclude_seen=False).items,
        *engine.recommend("a stranger", k=20).items,
        *engine.similar("i01", k=20).items,
    ]
    assert len(shown) > 9
    assert not EXCLUDED & {item.item_id for item in shown}
    view = engine.item("i04")
    assert (view.title, view.attributes, view.has_vector) == ("T4", {"kind": "post"}, False)
    evidence = load_evidence(config, Workspace(config.workspace))
    assert not EXCLUDED & set(evidence.cohort.items.ids.to_pylist())
    cleaning, catalogue = done.prepare.cleaning, done.prepare.catalogue
    n_events = sum(line.split(",")[1] in EXCLUDED for line in EVENTS.splitlines())
    assert cleaning.removed["excluded_item"] == n_events > 0
    assert cleaning.events_in == done.prepare.rows.accepted
    assert catalogue is not None
    assert catalogue.n_excluded == 4
    assert "4 items in no list (items.exclude)" in done.prepare.sentence()


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        ("kind =", "items.exclude: filter, character 7: expected"),
        ("kin = 'post'", "items.exclude: filter, character 1: .*did you mean kind"),
        ("kind = 3", "items.exclude: filter, character 8: expected a text in quotes"),
        ("kind is not missing", "items.exclude: the filter matches all 13 items of the catalogue"),
    ],
)
def test_a_filter_that_does_not_fit_is_an_error(folder: Path, exclude: str, message: str) -> None:
    (folder / "events.csv").write_text("not read")
    with pytest.raises(ConfigError, match=message):
        prepared(folder, exclude)


def test_a_filter_that_nothing_passes_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        summary = prepared(folder, "kind = 'test'")
    assert "items.exclude: no item of the catalogue passes" in caplog.text
    assert "excluded_item" not in summary.cleaning.removed


def test_spellings_that_keep_log_and_catalogue_apart_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "items.csv").write_text(ITEMS.replace("\ni0", "\nI0"))
    with caplog.at_level(logging.WARNING):
        summary = prepared(folder, "kind = 'post'")
    assert "the log has 'i00', the catalogue 'I00'" in caplog.text
    assert summary.catalogue is not None
    assert summary.catalogue.join.look_alikes is not None
    assert summary.catalogue.join.look_alikes.n_items == 10


def test_users_of_excluded_items_only_are_counted(folder: Path) -> None:
    before = prepared(folder, "kind = 'post'").cleaning
    (folder / "events.csv").write_text(EVENTS + "stamps,i04,1600000000\nletters,i08,1600000000\n")
    after = prepared(folder, "kind = 'post'").cleaning
    assert (after.n_users, after.n_without_history) == (before.n_users, before.n_without_history + 2)
