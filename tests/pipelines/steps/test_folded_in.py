"""What the job stores of a user is what the engine makes of the same rows of the log."""

from pathlib import Path

import numpy as np

from pipelines.steps.run import run
from recsys.artifacts.registry import Registry
from recsys.data.interactions import Interactions
from recsys.engine import Event
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
