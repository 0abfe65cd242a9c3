import numpy as np
import pytest

from recsys.config import EvaluateConfig
from recsys.evaluation.comparison import Estimate
from recsys.evaluation.definitions import accuracy_names
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.measures import BANDS, BY_USERS
from recsys.evaluation.provenance import SplitSummary
from recsys.evaluation.results import Cohort
from recsys.evaluation.significance import mean_interval
from recsys.evaluation.slices import LeftOut, slices_of

EVALUATE = EvaluateConfig(cutoffs=(1, 2), bootstrap=20, seed=4)
SPLIT = SplitSummary(
    kind="temporal",
    cut=None,
    counts={},
    dropped={"new_user": 9, "new_item": 4, "already_seen": 1},
    dropped_users={"new_user": 3},
)

# Training users of the items 0 to 6: 6, 3, 3, 2, 2, 1, 1. Of 18 pairs the first item holds six, the next two six.
TRAIN = [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 5, 6], [0], [0], [0]]
HOLDOUT = [[5, 6], [5], [3], [1, 2, 5], [1]]
LISTS = [[5, 6], [6, 5], [4, 3], [1, 5], [2, 1]]


@pytest.fixture
def split(split_of):
    return split_of(TRAIN, HOLDOUT, 7)


@pytest.fixture
def slices(split, listed):
    evaluations = [evaluate(listed(name, lists), split, cutoffs=(1, 2)) for name, lists in MODELS.items()]
    return slices_of(evaluations, Cohort.of(split), k=2, split=SPLIT, evaluate=EVALUATE)


MODELS = {"als": LISTS, "mute": [[]] * 5}


def test_users_are_sliced_by_what_they_are_known_by(slices):
    few, many = slices.user_activity
    assert (few.slice, few.users) == ("1 to 4", 2)
    assert (many.slice, many.users) == ("5 to 9", 3)
    assert few.models["als"]["recall@2"].mean == 1
    assert many.models["als"]["hit_rate@2"].mean == 1
    assert few.models["als"]["mrr@2"].mean == (1 + 1 / 2) / 2
    assert few.models["mute"]["recall@2"].mean == 0
    assert list(few.models["als"]) == accuracy_names((2,))


def test_the_interval_of_a_slice_is_of_its_users_alone(slices):
    expected = mean_interval(
        np.array([1.0, 1 / 2, 1 / 2]), samples=20, confidence=0.95, rng=np.random.default_rng(EVALUATE.seed)
    )
    assert slices.user_activity[1].models["als"]["mrr@2"].to_dict() == pytest.approx(expected._asdict())


def test_items_are_sliced_by_popularity(slices):
    assert [row.slice for row in slices.item_popularity] == ["mid", "tail"]  # nobody has a held-out head item
    mid, tail = slices.item_popularity
    assert (mid.items, mid.training_users, mid.relevant) == (2, (3, 3), 3)
    assert (tail.items, tail.training_users, tail.relevant) == (4, (1, 2), 5)
    # Mid: one user had two relevant items and found one of them, another found theirs. Tail: all were found.
    assert mid.models["als"]["recall@2"].mean == (1 / 2 + 1) / 2
    assert mid.models["als"]["recall@2"].users == 2
    assert tail.models["als"]["recall@2"] == Estimate(1, 1, 1, users=4)
    assert tail.models["mute"]["recall@2"].mean == 0


def test_items_are_sliced_by_their_training_users(slices):
    (few,) = slices.item_users  # every item has one to five of them
    assert (few.slice, few.relevant) == ("1 to 5", 8)
    assert few.models["als"]["recall@2"].mean == 1
    assert few.models["mute"]["recall@2"].mean == 0


def test_what_is_new_is_told_and_in_no_slice(slices):
    assert slices.new_users == LeftOut(pairs=9, users=3)
    assert slices.new_items == LeftOut(pairs=4, users=0)
    assert set(slices.definitions) == {"user_activity", "item_users", "item_popularity"}


def test_a_model_is_measured_by_band_as_a_whole_was(split, listed):
    result = evaluate(listed("als", LISTS), split, cutoffs=(1, 2))
    assert list(result.by_band) == [*BANDS, *BY_USERS]
    np.testing.assert_array_equal(result.by_band["mid"]["recall@1"], [np.nan, np.nan, np.nan, 1, 0])
    np.testing.assert_array_equal(result.by_band["tail"]["recall@1"], [1, 0, 0, 0, np.nan])
    assert np.isnan(result.by_band["head"]["recall@2"]).all()
