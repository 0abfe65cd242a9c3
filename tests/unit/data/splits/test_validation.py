"""The part of a log on which settings may be chosen."""

import numpy as np
import pytest

from recsys.config import EvaluateConfig, PrepareConfig
from recsys.data.event_weights import EventWeights
from recsys.data.splits.split import make_split
from recsys.data.splits.strategies import split_events, validation_part
from recsys.errors import DataError

SPLITS = ("temporal", "last_n", "held_out_users", "given")
GIVEN = {"holdout_paths": ("test.csv",)}


def evaluate(split, **settings):
    return EvaluateConfig(split=split, holdout=20, user_share=0.2, **settings, **(GIVEN if split == "given" else {}))


@pytest.fixture
def log(make_log):
    rng = np.random.default_rng(0)
    rows = {(f"u{user}", f"i{item}") for user, item in rng.integers(0, (12, 30), (400, 2))}
    return make_log([(*pair, int(time)) for pair, time in zip(sorted(rows), rng.integers(0, 100, 400), strict=False)])


def rows_of(events):
    return set(zip(events.users.decode(events.user_idx), events.items.decode(events.item_idx), strict=True))


def split_again(part):
    return make_split(part.events, part.evaluate, prepare=PrepareConfig(), weights=EventWeights(), given=part.given)


@pytest.mark.parametrize("split", SPLITS)
def test_it_can_be_split_once_more(log, split):
    part = validation_part(log, evaluate(split, max_users=1))
    assert len(split_again(part).user_ids) > 1


@pytest.mark.parametrize("split", SPLITS[:3])
def test_nothing_of_the_holdout_is_in_it(log, split):
    settings = evaluate(split)
    cut = split_events(log, settings, rng=np.random.default_rng(settings.seed))
    part = validation_part(log, settings)
    assert rows_of(part.events) == rows_of(cut.train)
    assert part.given is None


def test_in_time_it_ends_as_long_before_the_cut(log):
    newest = int(log.timestamp.max())
    part = validation_part(log, evaluate("temporal"))
    assert part.events.timestamp.max() < newest - 20
    assert split_again(part).cut == int(part.events.timestamp.max()) - 20


def test_other_users_are_held_out_again(log):
    settings = evaluate("held_out_users")
    part = validation_part(log, settings)
    again = split_again(part)
    assert set(again.user_ids.to_pylist()) <= {user for user, _ in rows_of(part.events)}
    assert part.evaluate.seed != settings.seed


def test_of_a_given_split_a_fifth_of_the_train_side_is_held_out(log):
    part = validation_part(log, evaluate("given"))
    assert rows_of(part.events) | rows_of(part.given) == rows_of(log)
    assert not rows_of(part.events) & rows_of(part.given)
    assert 0.15 < len(part.given) / len(log) < 0.25


def test_a_log_too_short_to_be_cut_twice_says_so(make_log):
    log = make_log([("u", "a", 10), ("u", "b", 25), ("v", "a", 26), ("v", "b", 50)])
    with pytest.raises(DataError, match="no events to train on"):
        split_again(validation_part(log, evaluate("temporal").model_copy(update={"holdout": 24})))
