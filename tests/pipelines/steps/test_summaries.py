"""Summaries are read back from their JSON, and each has a sentence."""

import json

import pytest

from pipelines.steps.summaries import (
    EvaluateSummary,
    Fingerprints,
    IndexStepSummary,
    JobSummary,
    PrepareSummary,
    PublishSummary,
    StepSummary,
    TrainSummary,
)
from recsys.data.cleaning import CleaningSummary
from recsys.data.ingest.accounting import RowCounts
from recsys.evaluation.provenance import Attempt, Choice, Continuity, SessionWeight, SplitSummary, Stopping

PREPARE = PrepareSummary(
    rows=RowCounts(1_200, 1_190, {"bad_time": 8}, 2),
    cleaning=CleaningSummary(1_190, 1_180, 900, {"decayed_away": 10}, 40, 30),
    items_without_events=3,
    fingerprints=Fingerprints(log="abc"),
    newest_event=None,
)
EVALUATE = EvaluateSummary(
    metric="ndcg@20",
    means={"als": 0.25},
    metrics={"als": {"ndcg@20": 0.25, "coverage@20": 0.5}},
    n_users=1_234,
    split=SplitSummary(kind="last_n", cut=None, counts={"n_eval_users": 1_234}, dropped={}, dropped_users={}),
    stopping=Stopping(iterations=2, metric="ndcg@20", curve=(0.1, 0.25), measured_after=(1, 2), n_users=9),
    session_weight=SessionWeight(weight=5, metric="ndcg@20", n_users=40, tried=(1, 5), scores=(0.1, 0.2)),
)
CHOICE = Choice(
    metric="ndcg@20",
    settings={"factors": 64, "alpha": 0.25, "iterations": 2},
    score=0.25,
    n_users=1_000,
    attempts=tuple(Attempt(settings={"factors": n}, score=0.1, n_users=9) for n in (32, 64)),
)
CHOSEN = EVALUATE.model_copy(update={"choice": CHOICE, "session_weight": None})
ENDED_EARLY = CHOSEN.model_copy(update={"choice": CHOICE.model_copy(update={"ended_early": 1})})
NONE_CHOSEN = CHOSEN.model_copy(update={"choice": Choice(metric="ndcg@20", reason="too few"), "stopping": None})
TRAIN = TrainSummary(
    n_users=40,
    n_items=33,
    entries=900,
    factors=8,
    losses=(2.0, 1.0),
    training=Continuity(aligned_to="v1", not_warm="it rained", mean_item_cosine=0.9, new_users=1, new_items=0),
)
INDEX = IndexStepSummary.model_validate({"kind": "exact", "recall@100": 1.0, "similar": {"kind": "exact"}})
PUBLISH = PublishSummary(version="v2", verdict="accepted", unchanged=False)

SENTENCES = [
    (
        PREPARE,
        "1,200 rows read, 1,190 accepted; 8 bad_time; 2 merged; matrix 40 users x 30 items, 900 entries; "
        "3 more items in the catalogue",
    ),
    (
        EVALUATE,
        "ndcg@20 (coverage@20) over 1,234 users: als 0.2500 (0.5000); session weight 5; "
        "best after iteration 2, the last that model.iterations allows",
    ),
    (
        CHOSEN,
        "ndcg@20 (coverage@20) over 1,234 users: als 0.2500 (0.5000); settings chosen on 1,000 validation users: "
        "factors 64, alpha 0.25, iterations 2; 2 fits tried",
    ),
    (
        ENDED_EARLY,
        "ndcg@20 (coverage@20) over 1,234 users: als 0.2500 (0.5000); settings chosen on 1,000 validation users: "
        "factors 64, alpha 0.25, iterations 2; 2 fits tried; the work of the search ended the chosen fit after "
        "iteration 1, before the best number was known: iterations 2 (a higher model.auto_share allows more)",
    ),
    (
        NONE_CHOSEN,
        "ndcg@20 (coverage@20) over 1,234 users: als 0.2500 (0.5000); default settings, none chosen: too few",
    ),
    (
        TRAIN,
        "8 factors for 40 users and 33 items; fitted from scratch, aligned with v1 (it rained), "
        "mean item cosine 0.9000",
    ),
    (INDEX, "exact, recall@100 1.0000"),
    (PUBLISH, "v2 accepted"),
]


@pytest.mark.parametrize(("summary", "sentence"), SENTENCES, ids=[each.step for each, _ in SENTENCES])
def test_a_summary_is_its_json_again_and_has_a_sentence(summary: StepSummary, sentence: str) -> None:
    text = json.dumps(summary.model_dump(mode="json"), allow_nan=False)
    assert type(summary).model_validate_json(text) == summary
    assert summary.sentence() == sentence


def test_what_does_not_exist_has_no_key() -> None:
    assert PREPARE.model_dump(mode="json")["fingerprints"] == {"log": "abc"}
    assert "holdout_rows" not in PREPARE.model_dump(mode="json")
    assert Continuity().model_dump(mode="json") == {}
    assert Continuity(training_recall=0.5).model_dump(mode="json") == {"training_recall@20": 0.5}


def test_a_job_has_the_summaries_of_the_steps_that_ran() -> None:
    done = JobSummary({"train": TRAIN, "publish": PUBLISH}, {"train": 1.5, "publish": 0.25})
    assert done.train is TRAIN
    assert done.to_dict()["publish"] == {"version": "v2", "verdict": "accepted", "unchanged": False, "seconds": 0.25}
    assert "prepare" not in done
    with pytest.raises(KeyError):
        _ = done.prepare
