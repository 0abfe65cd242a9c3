from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.id_map import IdMap
from recsys.data.ingest.accounting import RowCounts
from recsys.data.interactions import Interactions
from recsys.data.items import Items
from recsys.data.profile import AttributeProfile, LogProfile, Silence, profile_log


def _events(event: bool = True) -> Interactions:
    return Interactions(
        users=IdMap.of(["a", "b", "never"])[0],
        items=IdMap.of(["i1", "i2", "i3", "never"])[0],
        user_idx=np.array([0, 0, 1, 1], np.int32),
        item_idx=np.array([0, 0, 1, 2], np.int32),
        value=np.ones(4, np.float32),
        event=np.array([0, 0, 0, 1], np.int8) if event else None,
        event_names=("view", "buy") if event else (),
    )


def _profile(events: Interactions, catalogue: Items | None = None, *, newest: int = 7) -> LogProfile:
    rows = RowCounts(6, 4, {"bad_time": 2})
    return profile_log(events, rows, catalogue, entries=3, newest_event=newest)


def test_it_counts_what_the_accepted_rows_hold() -> None:
    found = _profile(_events())
    assert (found.rows_read, found.accepted, found.n_users, found.n_items, found.entries) == (6, 4, 2, 3, 3)
    assert (found.newest_event, found.events, found.catalogue) == (7, {"view": 0.75, "buy": 0.25}, None)
    assert _profile(_events(event=False)).events == {}


def test_the_catalogue_is_counted_whole_and_joined_with_the_log() -> None:
    ids = IdMap.of(["i1", "i3", "x", "y"])[0]
    table = pa.table(
        {
            "title": pa.array(["t", None, "t", "t"]),
            "price": pa.array([1.0, None, None, None]),
            "new": pa.array([True, False, True, True]),
        }
    )
    found = _profile(_events(), Items(ids, table)).catalogue
    assert found is not None
    assert (found.n_items, found.share_of_items, found.share_of_events) == (4, pytest.approx(2 / 3), 0.75)
    assert found.attributes == {
        "title": AttributeProfile(kind="text", unknown=0.25),
        "price": AttributeProfile(kind="number", unknown=0.75),
        "new": AttributeProfile(kind="boolean", unknown=0.0),
    }
    bare = _profile(_events(), Items.without_attributes(ids)).catalogue
    assert bare is not None
    assert bare.attributes == {}


def test_it_is_the_same_after_json() -> None:
    found = _profile(_events(), Items.without_attributes(IdMap.of(["i1"])[0]))
    assert LogProfile.model_validate_json(found.model_dump_json()) == found


def test_it_says_how_long_each_kind_has_not_come() -> None:
    times = np.array([100, 250, 300, 200], np.int64)
    found = _profile(replace(_events(), timestamp=times), newest=260)
    assert found.silences == {"view": Silence(seconds=0, rows=0), "buy": Silence(seconds=60, rows=1)}
    assert _profile(_events()).silences == {}
