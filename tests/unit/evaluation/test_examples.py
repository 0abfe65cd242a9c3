import numpy as np
import pyarrow as pa
import pytest

from recsys.data.items import Items
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.examples import Listed, list_by_id, regressed_rows, regressions, show_users, spread_rows
from recsys.evaluation.record import Record
from recsys.evaluation.results import Cohort
from recsys.evaluation.serving_comparison import Paired, ServingComparison, ServingVersion
from recsys.evaluation.significance import Interval

METRIC = "recall@2"
LISTS = {"als": [[2], [4, 1]], "mute": [[], []]}


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


def test_who_fell_furthest_comes_first_and_who_gained_not_at_all():
    before = np.array([0.5, 1.0, 0.2, 0.5, 0.0])
    now = np.array([0.25, 0.1, 0.9, 0.25, 0.0])
    assert regressed_rows(now, before, 5).tolist() == [1, 0, 3]
    assert regressed_rows(now, before, 2).tolist() == [1, 0]


@pytest.fixture
def evaluated(split_of, listed):
    """Three users; als finds what the first and last took, `good` what the first two, `bad` nothing."""
    split = split_of([[0], [0], [0]], [[1], [2], [3]], 4)
    lists = {"als": [[1], [1], [3]], "bad": [[2], [3], [1]], "good": [[1], [2], [1]]}
    models = {name: evaluate(listed(name, rows), split, cutoffs=(2,)) for name, rows in lists.items()}
    titles = pa.table({"title": ["Zero", "One", "Two", "Three"]})
    return models, Cohort.of(split), Items(split.train.items, titles)


def test_without_a_serving_version_the_strongest_baseline_is_the_measure(evaluated):
    models, cohort, items = evaluated
    found = regressions([models[name] for name in ("als", "bad", "good")], cohort, items, metric=METRIC)
    assert found.against == "good"
    (user,) = found.users
    assert (user.before, user.now, user.example.user_id) == (1, 0, "u001")
    assert user.example.lists == {"als": (Listed("One", False),), "good": (Listed("Two", True),)}


def test_alone_a_model_regresses_against_nobody(evaluated):
    models, cohort, items = evaluated
    assert regressions([models["als"]], cohort, items, metric=METRIC) is None


def test_the_serving_version_comes_before_any_baseline(evaluated):
    models, cohort, items = evaluated
    now, before = Record.of(models["als"], cohort), Record.of(models["good"], cohort)
    rows = np.array([1, 2], np.int32)
    paired = {METRIC: Paired(0.5, Interval(0, None, None))}
    serving = ServingComparison(now, ServingVersion("v1", {}, before), rows, rows, paired)
    found = regressions(list(models.values()), cohort, items, metric=METRIC, serving=serving)
    assert found.against == "serving"
    (user,) = found.users
    assert (user.before, user.now, user.example.user_id) == (1, 0, "u001")
    assert user.example.lists == {"als": (Listed("One", False),), "serving": (Listed("Two", True),)}


def test_a_serving_version_that_cannot_be_paired_leaves_the_baseline(evaluated):
    models, cohort, items = evaluated
    rows = np.empty(0, np.int32)
    serving = ServingComparison(Record.of(models["als"], cohort), ServingVersion("v1", {}, None), rows, rows)
    found = regressions(list(models.values()), cohort, items, metric=METRIC, serving=serving)
    assert found.against == "good"
