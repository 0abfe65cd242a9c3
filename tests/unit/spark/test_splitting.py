"""The split on Spark is the local one: the same users, histories, relevant items, counts and reasons."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.config import EvaluateConfig, PrepareConfig
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.splits.split import make_split
from recsys.errors import DataError
from recsys.spark.cutting import LogOnSpark
from recsys.spark.event_files import write_events
from recsys.spark.hours import span_of
from recsys.spark.splitting import SparkSplit, split_log

PREPARE = PrepareConfig(min_user_items=3, min_item_users=3, max_user_events=40)
WEIGHTS = EventWeights(kinds={"buy": 2.0, "view": 1.0}, half_life_days=20, seen_kinds=("buy",))

CASES = {
    "temporal": {"split": "temporal", "holdout": "8d", "max_users": 9},
    "temporal, repeats and new items": {
        "split": "temporal",
        "holdout": "8d",
        "new_items": "measure",
        "exclude_seen": False,
    },
    "last_n": {"split": "last_n", "last_n": 2},
    "held_out_users": {"split": "held_out_users", "user_share": 0.5, "item_share": 0.9, "max_users": 8, "seed": 1},
    "given": {"split": "given", "holdout_paths": ["test.csv"], "new_items": "measure"},
}


def with_rare_and_new_items(log: Interactions) -> Interactions:
    """Some items occur only at the end of the log, one is rare, and a few values are returns."""
    late = log.timestamp > np.quantile(log.timestamp, 0.85)
    item = np.where(~late & (log.item_idx % 5 == 4), np.int32(0), log.item_idx).astype(np.int32)
    return replace(log, item_idx=item)


def given_holdout(log: Interactions) -> Interactions:
    """Events of users and items of which only some are in the log; ids are between those of the log."""
    rng = np.random.default_rng(7)
    users, user_idx = IdMap.of([f"u{at:04d}" for at in rng.integers(0, 90, 80)] + ["a", "u0003x", "z"])
    items, item_idx = IdMap.of([f"i{at:03d}" for at in rng.integers(0, 30, 80)] + ["i000", "i001", "new"])
    return Interactions(
        users, items, user_idx, item_idx, np.r_[np.ones(80, np.float32), [1, 1, 0]].astype(np.float32)
    )


def on_spark(
    spark: Any, log: Interactions, evaluate: EvaluateConfig, given: Interactions | None, tmp: Path
) -> SparkSplit:
    files = write_events(log, tmp / "events", n_files=2)
    of_given = None if given is None else write_events(given, tmp / "holdout", n_files=2)
    (tmp / "scratch").mkdir()
    work = LogOnSpark(spark, files, tmp / "scratch", 150, span_of(files.read(spark)))
    return split_log(work, evaluate, weights=WEIGHTS, given=of_given, prepare=PREPARE, block_entries=100)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_the_split_of_the_local_engine(spark, random_log, tmp_path: Path, case: dict[str, Any]) -> None:
    log = with_rare_and_new_items(random_log())
    evaluate = EvaluateConfig.model_validate(case)
    given = given_holdout(log) if evaluate.split == "given" else None
    local = make_split(log, evaluate, prepare=PREPARE, weights=WEIGHTS, given=given)
    found = on_spark(spark, log, evaluate, given, tmp_path)
    assert found.counts == local.counts
    assert found.dropped == local.dropped
    assert found.dropped_users == local.dropped_users
    assert found.user_ids.equals(local.user_ids)
    assert found.items.ids.equals(local.train.items.ids)
    assert (found.cut, found.held_seconds) == (local.cut, local.held_seconds)
    for name, mine, theirs in (
        ("history", found.evaluated.history, local.queries_history),
        ("holdout", found.evaluated.holdout, local.holdout),
        ("seen", found.evaluated.seen, local.queries_seen),
    ):
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            assert mine.shape == theirs.shape, name
            assert (mine != theirs).nnz == 0, name


def test_the_cases_try_every_reason(random_log) -> None:
    reasons = set[str]()
    for case in CASES.values():
        log, evaluate = with_rare_and_new_items(random_log()), EvaluateConfig.model_validate(case)
        given = given_holdout(log) if evaluate.split == "given" else None
        split = make_split(log, evaluate, prepare=PREPARE, weights=WEIGHTS, given=given)
        reasons |= {*split.dropped, *split.dropped_users}
    assert reasons == {
        "not_positive", "new_user", "user_not_trained", "new_item", "item_not_trained", "already_seen", "sampled_out",
        "too_few_items", "no_history",
    }  # fmt: skip


def test_nothing_left_to_evaluate_says_why(spark, random_log, tmp_path: Path) -> None:
    evaluate = EvaluateConfig(split="last_n", last_n=900)
    with pytest.raises(DataError, match=r"no events to hold out; the log holds 600 events from 2020-"):
        on_spark(spark, random_log(), evaluate, None, tmp_path)
