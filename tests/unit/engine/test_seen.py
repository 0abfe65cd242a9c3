"""What lists leave out: the items of the kinds of event that make an item seen, or nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsys.artifacts.bundle import Bundle
from recsys.data.matrix import csr_from_pairs
from recsys.engine import Engine, Event, Question
from recsys.engine.answers import IGNORED_EVENTS
from recsys.errors import InvalidRequestError

LOG = {"event": "kind", "event_weights": {"view": 1.0, "buy": 4.0, "shown": 0.0}, "seen_events": ["buy"]}


def engine_of(bundle: Bundle, *, log: dict[str, Any] | None = None, exclude_seen: bool | None = None) -> Engine:
    """The version as if it had been made with these settings; the first item of each history is seen."""
    settings = {"log": log or {}} | ({} if exclude_seen is None else {"evaluate": {"exclude_seen": exclude_seen}})
    manifest = bundle.manifest.model_copy(update={"config": settings})
    seen = None
    if log and log.get("seen_events"):
        history = bundle.history
        some = np.flatnonzero(np.diff(history.indptr)).astype(np.int32)
        first = history.indices[history.indptr[some]]
        seen = csr_from_pairs(some, first, np.ones(len(some), np.float32), history.shape)
    return Engine(replace(bundle, manifest=manifest, seen=seen))


def listed(engine: Engine, **asked: Any) -> set[str]:
    return {item.item_id for item in engine.ask(Question(k=6, **asked)).items}


def history_of(bundle: Bundle, user: str) -> list[str]:
    row = bundle.users.position(user)
    assert row is not None
    return bundle.items.ids.decode(bundle.history[row].indices.tolist())


def test_only_seen_items_are_left_out(small: Bundle) -> None:
    engine, history = engine_of(small, log=LOG), history_of(small, "u0001")
    assert len(history) > 1
    assert not listed(engine_of(small), user_id="u0001") & set(history)
    assert listed(engine, user_id="u0001") & set(history) == set(history[1:])
    for ids, top in engine.iter_all(6):
        if "u0001" in ids:
            exported = {engine.item_ids.id_at(at) for at in top.row(ids.index("u0001"))[0].tolist()}
            assert exported == listed(engine, user_id="u0001")


def test_an_event_makes_its_item_seen_by_its_kind(small: Bundle) -> None:
    engine = engine_of(small, log=LOG)
    item = history_of(small, "u0001")[0]
    assert item not in listed(engine, events=(Event(item, "buy"),))
    assert item in listed(engine, events=(Event(item, "view"),))
    assert item in listed(engine, events=(Event(item),))  # counts as the lightest kind
    assert item not in listed(engine, user_id="u0001", events=(Event(item, "view"),))  # bought before


def test_events_of_ignored_kinds_are_left_out_with_a_warning(small: Bundle) -> None:
    engine = engine_of(small, log=LOG)
    item, other = history_of(small, "u0001")[:2]
    alone = engine.ask(Question(events=(Event(item, "view"),)))
    with_shown = engine.ask(Question(events=(Event(item, "view"), Event(other, "shown", value=-1.0))))
    assert with_shown.items == alone.items
    assert with_shown.warnings == (IGNORED_EVENTS.format(1), *alone.warnings)
    known = engine.ask(Question(user_id="u0001", events=(Event(other, "shown"),)))
    assert (known.items, known.user_status) == (engine.recommend("u0001").items, "known")
    assert known.warnings[0] == IGNORED_EVENTS.format(1)
    with pytest.raises(InvalidRequestError, match="view, buy"):
        engine.ask(Question(events=(Event(item, "gift"),)))


@pytest.mark.parametrize("measured", [True, False])
def test_a_question_that_does_not_say_gets_what_was_measured(small: Bundle, measured: bool) -> None:
    engine, history = engine_of(small, exclude_seen=measured), set(history_of(small, "u0001"))
    assert bool(listed(engine, user_id="u0001") & history) is not measured
    assert listed(engine, user_id="u0001", exclude_seen=False) >= history & listed(engine, user_id="u0001")
    assert not listed(engine, user_id="u0001", exclude_seen=True) & history
    short = engine.ask(Question(user_id="u0001", k=9))
    assert any("already seen" in warning for warning in short.warnings) is measured
    ids, top = next(engine.iter_all(6))
    row = top.row(ids.index("u0001"))[0].tolist()
    assert {engine.item_ids.id_at(at) for at in row} == listed(engine, user_id="u0001")
