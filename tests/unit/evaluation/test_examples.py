import numpy as np
import pyarrow as pa
import pytest

from recsys.data.items import Items
from recsys.evaluation.cohort import Cohort
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.examples import Listed, list_by_id, show_users, spread_rows


@pytest.mark.parametrize(("n_users", "n", "rows"), [(10, 3, [0, 4, 9]), (2, 5, [0, 1]), (1, 5, [0]), (5, 1, [0])])
def test_shown_users_are_evenly_spaced_and_none_twice(n_users, n, rows):
    assert spread_rows(n_users, n).tolist() == rows


def test_a_user_is_shown_with_titles_hits_and_every_models_list(split_of, listed):
    split = split_of([[0, 1], [0, 2]], [[2], [3, 4]], 5)
    split.queries_history.data[:] = [1, 5, 2, 1]
    models = [evaluate(listed(name, lists), split, cutoffs=(3,)) for name, lists in LISTS.items()]
    # The catalogue knows other items too, and of these it has titles for some.
    ids = split.train.items.ids.to_pylist()
    titles = pa.table({"title": ["Zero", "One", None, "Three", "Four"]})
    (person,) = show_users(np.array([1], np.int32), Cohort.of(split), models, Items(split.train.items, titles))
    assert person.user_id == "u001"
    assert (person.history, person.n_history) == (("Zero", ids[2]), 2)
    assert (person.relevant, person.n_relevant) == (("Three", "Four"), 2)
    assert person.lists == {"als": (Listed("Four", True), Listed("One", False)), "mute": ()}
    (other,) = show_users(np.array([0], np.int32), Cohort.of(split), models, Items(split.train.items, titles))
    assert other.history == ("One", "Zero")


def test_a_list_of_ids_gets_titles_and_hits_and_may_hold_what_is_no_longer_known(split_of):
    split = split_of([[0, 1]], [[2]], 4)
    titles = pa.table({"title": ["Zero", "One", None, "Three"]})
    ids = ["i003", "gone", "i002", *(f"more {number}" for number in range(20))]
    listed = list_by_id(ids, 0, Cohort.of(split), Items(split.train.items, titles))
    assert listed[:3] == (Listed("Three", False), Listed("gone", False), Listed("i002", True))
    assert len(listed) == 10


LISTS = {"als": [[2], [4, 1]], "mute": [[], []]}
