"""What the job stores of a user is what the engine makes of the same rows of the log."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipelines.commands.export import export
from pipelines.steps.run import run
from recsys.artifacts.registry import Registry
from recsys.data.interactions import Interactions
from recsys.engine import Engine, Event
from recsys.engine.event_history import weigh, weights_of
from recsys.pipeline_config import load_config
from recsys.progress import silent


def rows_of(events: Interactions, user_id: str) -> list[Event]:
    assert events.timestamp is not None
    assert events.event is not None
    return [
        Event(
            events.items.id_at(int(events.item_idx[row])),
            events.event_names[events.event[row]],
            float(events.value[row]),
            float(events.timestamp[row]),
        )
        for row in np.flatnonzero(events.user_idx == events.users.position(user_id))
    ]


def test_the_rows_of_the_log_weigh_what_was_stored(shop: Path) -> None:
    """Kinds, quantities, a half-life, rows told twice: what a published version says of itself is enough."""
    quick = {"evaluate.baselines": [], "evaluate.bootstrap": 0, "publish.must_beat_popular": False}
    config = load_config(shop, overrides={"prepare.half_life_days": 30.0, **quick})
    run(config, progress=silent)
    events = Interactions.load(config.workspace / "prepare" / "events")
    bundle = Registry(config.publish.store).load()
    weights = weights_of(bundle.manifest)
    assert events.timestamp is not None
    assert weights.now == events.timestamp.max()
    for user in range(0, len(bundle.users), 29):
        weighed = weigh(rows_of(events, bundle.users.id_at(user)), bundle.items.ids, weights)
        np.testing.assert_array_equal(weighed.item_idx, bundle.history[user].indices)
        np.testing.assert_allclose(weighed.weight, bundle.history[user].data, rtol=1e-6)


def test_users_whom_training_left_out_are_served_from_their_rows(shop: Path, tmp_path: Path) -> None:
    """Stored with the version as the same rows weigh, counted in summary, manifest and report, listed in exports."""
    quick = {"evaluate.baselines": [], "evaluate.bootstrap": 0, "publish.must_beat_popular": False}
    bounds: dict[str, Any] = {
        "prepare.half_life_days": 30.0,
        "prepare.min_user_items": 12,
        "prepare.min_item_users": 5,
    }
    bounds["log.seen_events"] = ["purchase"]
    config = load_config(shop, overrides={**bounds, **quick})
    cleaning = run(config, progress=silent).prepare.cleaning
    events = Interactions.load(config.workspace / "prepare" / "events")
    bundle = Registry(config.publish.store).load()
    engine, folded = Engine(bundle), bundle.folded_in
    assert folded is not None
    assert len(folded.users) == cleaning.n_folded_in > 20
    assert bundle.manifest.counts["folded_in_users"] == cleaning.n_folded_in
    assert f"{cleaning.n_folded_in:,} folded in" in (config.workspace / "report.md").read_text()
    for user in range(0, len(folded.users), 17):
        user_id = folded.users.id_at(user)
        rows = rows_of(events, user_id)
        weighed = weigh(rows, bundle.items.ids, weights_of(bundle.manifest))
        trained = bundle.model.item_degree[weighed.item_idx] > 0
        np.testing.assert_array_equal(weighed.item_idx[trained], folded.history[user].indices)
        np.testing.assert_allclose(weighed.weight[trained], folded.history[user].data, rtol=1e-6)
        assert engine.recommend(user_id).user_status == "folded_in"
        bought = {event.item_id for event in rows if event.event == "purchase"}
        assert set(bundle.items.ids.decode(folded.left_out[user].indices)) == bought & set(
            bundle.items.ids.decode(folded.history[user].indices)
        )
    lists = tmp_path / "lists.parquet"
    export(engine, lists, k=5, progress=silent)
    assert set(folded.users.ids.to_pylist()) <= set(pq.read_table(lists)["user_id"].to_pylist())
