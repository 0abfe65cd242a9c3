import numpy as np
import pyarrow as pa
import pytest

from recsys.data.items import Items
from recsys.evaluation.cohort import Cohort
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.examples import Listed, regressed_rows, show_users, spread_rows


@pytest.mark.parametrize(("n_users", "n", "rows"), [(10, 3, [0, 4, 9]), (2, 5, [0, 1]), (1, 5, [0]), (5, 1, [0])])
def test_shown_users_are_evenly_spaced_and_none_twice(n_users, n, rows):
    assert spread_rows(n_users, n).tolist() == rows


def test_who_fell_furthest_comes_first_and_who_gained_not_at_all():
    before = np.array([0.5, 1.0, 0.2, 0.5, 0.0])
    now = np.array([0.25, 0.1, 0.9, 0.25, 0.0])
    assert regressed_rows(now, before, 5).tolist() == [1, 0, 3]
    assert regressed_rows(now, before, 2).tolist() == [1, 0]


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


LISTS = {"als": [[2], [4, 1]], "mute": [[], []]}
