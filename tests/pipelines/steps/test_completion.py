"""Vectors that the completion gives to items without events reach the index, the version and the lists."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.steps.run import run
from recsys.artifacts.registry import Registry
from recsys.data.items import Items
from recsys.engine import Engine, Question
from recsys.models.completion import complete
from recsys.models.factors.embeddings import Embeddings
from recsys.pipeline_config import load_config
from recsys.progress import silent

NEW = "zz-new"


def _twin_of_the_most_popular(embeddings: Embeddings, items: Items) -> Embeddings:
    """A stand-in for content: the new item has three times the vector with the largest norm."""
    vectors = embeddings.items.copy()
    vectors[items.ids.position(NEW)] = 3 * vectors[np.linalg.norm(vectors, axis=1).argmax()]
    return replace(embeddings, items=vectors)


def test_today_it_leaves_the_embeddings_as_they_are(finished: tuple) -> None:
    bundle = Registry(finished[0].publish.store).load()
    assert complete(bundle.model.embeddings, bundle.items) is bundle.model.embeddings


@pytest.mark.parametrize("completed", [False, True])
def test_an_item_without_events_is_listed_once_it_has_a_vector(
    shop: Path, monkeypatch: pytest.MonkeyPatch, completed: bool
) -> None:
    catalogue = shop.parent / "items.csv"
    header, *rows = catalogue.read_text(encoding="utf-8").splitlines()
    values = [{"item_id": NEW, "title": "Brand new"}.get(column, "") for column in header.split(",")]
    catalogue.write_text("\n".join([header, *rows, ",".join(values)]) + "\n", encoding="utf-8")
    if completed:
        monkeypatch.setattr("pipelines.steps.train.complete", _twin_of_the_most_popular)
    config = load_config(shop, overrides={"evaluate.baselines": [], "publish.must_beat_popular": False})
    run(config, progress=silent)
    engine = Engine(Registry(config.publish.store).load())
    assert engine.item(NEW).has_vector is completed
    listed = [engine.ask(Question(user_id=engine.user_ids.id_at(user), k=20)).items for user in range(0, 250, 10)]
    assert any(item.item_id == NEW for items in listed for item in items) is completed
