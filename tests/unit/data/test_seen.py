"""Which items are seen: those of the kinds of event that say so, as far as they are in the history."""

import numpy as np
import pytest

from recsys.config import PrepareConfig
from recsys.data.cleaning import build_matrix
from recsys.data.event_weights import EventWeights
from recsys.data.matrix import InteractionMatrix, check_canonical
from recsys.data.seen import load_seen, save_seen, seen_items
from recsys.errors import ConfigError

ROWS = [
    ("u", "a", 1, 1.0, "view"),
    ("u", "b", 1, 1.0, "view"),
    ("u", "b", 2, 2.0, "buy"),
    ("v", "a", 3, 1.0, "buy"),
    ("v", "c", 3, 1.0, "buy"),  # and sent back, which only `net` knows
    ("v", "c", 4, -1.0, "buy"),
    ("v", "c", 5, 1.0, "view"),
    ("w", "d", 6, 1.0, "buy"),  # too few items to be trained on
]


def seen_of(make_log, entries, prepare=None, **settings):
    log, weights = make_log(ROWS), EventWeights(net=True, **settings)
    matrix, _ = build_matrix(log, prepare or PrepareConfig(min_user_items=2), weights=weights)
    seen = seen_items(log, matrix, weights=weights)
    if seen is None:
        return matrix, None
    check_canonical(seen)
    return matrix, entries(InteractionMatrix(matrix.users, matrix.items, seen))


def test_seen_is_what_has_an_event_of_such_a_kind(make_log, entries):
    matrix, seen = seen_of(make_log, entries, seen_kinds=("buy",))
    assert set(entries(matrix)) == {("u", "a"), ("u", "b"), ("v", "a"), ("v", "c")}
    assert seen == {("u", "b"): 1.0, ("v", "a"): 1.0}


def test_every_kind_makes_an_item_seen_by_default(make_log, entries):
    assert seen_of(make_log, entries)[1] is None
    _, seen = seen_of(make_log, entries, seen_kinds=("buy", "view"))
    assert set(seen) == {("u", "a"), ("u", "b"), ("v", "a"), ("v", "c")}


def test_a_kind_that_the_log_does_not_have_is_an_error_unless_it_has_a_weight(make_log, entries):
    with pytest.raises(ConfigError, match="no event of kind 'bye'; did you mean 'buy'"):
        seen_of(make_log, entries, seen_kinds=("bye",))
    _, seen = seen_of(make_log, entries, seen_kinds=("order",), kinds={"view": 1.0, "buy": 2.0, "order": 3.0})
    assert seen == {}


def test_events_without_kinds_are_an_error(make_log):
    log = make_log([("u", "a", 1)])
    matrix, _ = build_matrix(log, PrepareConfig(), weights=EventWeights())
    with pytest.raises(ConfigError, match=r"log\.seen_events"):
        seen_items(log, matrix, weights=EventWeights(seen_kinds=("buy",)))


def test_saved_and_loaded(make_log, entries, tmp_path):
    matrix, _ = seen_of(make_log, entries)
    assert load_seen(tmp_path, matrix.csr.shape) is None
    save_seen(None, tmp_path)
    assert not list(tmp_path.iterdir())
    save_seen(matrix.csr, tmp_path)
    loaded = load_seen(tmp_path, matrix.csr.shape)
    np.testing.assert_array_equal(loaded.toarray(), matrix.csr.toarray())
