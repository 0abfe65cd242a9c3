"""Items that only the catalogue has get vectors from content, which reach the index, the version and the lists."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.steps.run import run
from pipelines.steps.summaries import EvaluateSummary
from pipelines.steps.workspace import Workspace
from recsys.artifacts.bundle import Bundle
from recsys.artifacts.registry import Registry
from recsys.engine import Engine, PostedItem, Question
from recsys.pipeline_config import load_config
from recsys.progress import silent

NEW = "zz-new"
CONTENT = {"encoder": "tfidf", "columns": ["title", "genre"], "dimension": 32}


def _with_a_new_item(shop: Path) -> None:
    """A twin of the first item of the catalogue, which nobody has chosen."""
    catalogue = shop.parent / "items.csv"
    header, first, *rows = catalogue.read_text(encoding="utf-8").splitlines()
    twin = ",".join([NEW, *first.split(",")[1:]])
    catalogue.write_text("\n".join([header, first, *rows, twin]) + "\n", encoding="utf-8")


def _ran(shop: Path, **overrides: Any) -> tuple[Bundle, Workspace]:
    quiet = {"evaluate.baselines": [], "publish.must_beat_popular": False}
    config = load_config(shop, overrides={**quiet, **overrides})
    run(config, progress=silent)
    return Registry(config.publish.store).load(), Workspace(config.workspace)


@pytest.mark.parametrize("completed", [False, True])
def test_an_item_without_events_is_listed_once_there_is_content(shop: Path, completed: bool) -> None:
    _with_a_new_item(shop)
    bundle, workspace = _ran(shop, **({"content": [CONTENT]} if completed else {}))
    engine = Engine(bundle)
    assert engine.item(NEW).has_vector is completed
    everything = len(bundle.items.ids)
    listed = [engine.ask(Question(user_id=engine.user_ids.id_at(user), k=everything)).items for user in range(5)]
    assert any(item.item_id == NEW for items in listed for item in items) is completed
    assert ("cold_start" in json.loads(workspace.report_json.read_text(encoding="utf-8"))) is completed


def test_trained_users_are_folded_in_users_and_the_version_keeps_the_chosen_weights(shop: Path) -> None:
    _with_a_new_item(shop)
    other = {**CONTENT, "name": "genre", "columns": ["genre"]}
    bundle, workspace = _ran(shop, content=[CONTENT, other], **{"cold_start.measure": True})
    assert bundle.model.fold_in(bundle.history).tobytes() == np.asarray(bundle.model.embeddings.users).tobytes()
    choice = workspace.summary(EvaluateSummary).cold_start
    assert choice is not None
    assert bundle.content is not None
    assert choice.measured is not None
    assert [each.users_of_item for each in choice.measured.slices] == ["0", "1 to 5", "6 to 10"]
    for page in (workspace.report_markdown, workspace.report_html):
        assert "popular in category" in page.read_text(encoding="utf-8")
    kept = {source.name: source.weight for source in bundle.content.sources}
    assert kept == {name: weight for name, weight in choice.settings.weights.items() if weight}


def test_content_changes_no_vector_of_an_item_with_many_events(shop: Path) -> None:
    _with_a_new_item(shop)
    plain, _ = _ran(shop)
    completed, _ = _ran(shop, content=[CONTENT])
    before, after = plain.model, completed.model
    warm = before.item_degree > 10
    assert before.embeddings.items[warm].tobytes() == after.embeddings.items[warm].tobytes()


def test_the_measurement_of_cold_items_can_be_left_out(shop: Path) -> None:
    _with_a_new_item(shop)
    _, workspace = _ran(shop, content=[CONTENT], **{"cold_start.measure": False})
    choice = workspace.summary(EvaluateSummary).cold_start
    assert choice is not None
    assert choice.measured is None


@pytest.mark.parametrize("method", ["neighbours", "ridge", "sum"])
def test_a_posted_item_is_scored_as_the_night_scores_a_new_one_like_it(shop: Path, method: str) -> None:
    _with_a_new_item(shop)
    # Columns of rare items would grow after the night took the mean of the largest weights.
    bundle, _ = _ran(shop, content=[CONTENT], **{"cold_start.method": method, "cold_start.rare_events": 0})
    assert bundle.manifest.cold_start is not None and bundle.manifest.cold_start.method == method
    engine = Engine(bundle)
    twin = engine.item(NEW)
    assert engine.use_posted([PostedItem("zz-posted", twin.title, twin.attributes)]) == 1
    everything, compared = len(bundle.items.ids) + 1, 0
    for user in range(10):
        question = Question(user_id=engine.user_ids.id_at(user), k=everything)
        scores = {item.item_id: item.score for item in engine.ask(question).items}
        if NEW in scores:
            assert scores["zz-posted"] == pytest.approx(scores[NEW], rel=1e-3)
            compared += 1
    assert compared
