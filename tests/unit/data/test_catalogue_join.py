"""The join of log and catalogue, and spellings that keep ids apart."""

import numpy as np
import pytest

from recsys.data.catalogue_join import join_catalogue
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions


def events_of(*items: str) -> Interactions:
    """One event per item; the id map has one more item, which no event uses."""
    ids, _ = IdMap.of([*items, "unused"])
    item_idx, _ = ids.encode(list(items))
    users, _ = IdMap.of(["u"])
    zeros = np.zeros(len(items), np.int32)
    return Interactions(users, ids, zeros, item_idx, np.ones(len(items), np.float32))


def test_items_and_events_are_counted_by_those_that_events_use() -> None:
    join = join_catalogue(IdMap.of(["a", "b", "unused", "z"])[0], events_of("a", "a", "a", "b", "c"))
    assert (join.n_items, join.n_items_known, join.n_events, join.n_events_known) == (3, 2, 5, 4)
    assert (join.n_rows, join.n_without_events, join.look_alikes) == (4, 2, None)
    assert (join.share_of_items, join.share_of_events) == (2 / 3, 0.8)
    assert list(join.warnings()) == []


@pytest.mark.parametrize(
    ("log", "catalogue"),
    [("00123", "123"), ("123", "00123"), ("123.0", "123"), (" 123", "123"), ('"123"', "123"), ("ab", "AB")],
)
def test_other_spellings_are_named(log: str, catalogue: str) -> None:
    join = join_catalogue(IdMap.of([catalogue, "same", "UNUSED"])[0], events_of(log, "same", "gone"))
    assert join.look_alikes is not None
    assert (join.look_alikes.n_items, join.look_alikes.log, join.look_alikes.catalogue) == (1, log, catalogue)
    (sentence,) = join.warnings()
    assert f"the log has {log!r}, the catalogue {catalogue!r}" in sentence


def test_ids_that_both_have_are_no_look_alikes() -> None:
    assert join_catalogue(IdMap.of(["ab", "AB"])[0], events_of("ab", "AB", "Ab")).look_alikes is None


def test_a_catalogue_of_few_events_is_told() -> None:
    (sentence,) = join_catalogue(IdMap.of(["a"])[0], events_of("a", "b", "c")).warnings()
    assert "1 of the log's 3 items, with 33% of the events" in sentence
