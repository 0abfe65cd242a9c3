import pytest

from recsys.evaluation.provenance import Continuity
from recsys.evaluation.reporting.wording import tied_to

NEAR = {"mean_item_cosine": 0.91, "new_users": 1200, "new_items": 3}
FOUND = {"training_recall@20": 0.82, "training_recall@20_before": 0.8}


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({}, None),
        ({"tied_to_none": "no earlier version serves"}, "tied to no version: no earlier version serves."),
        (
            {"aligned_to": "v1", **NEAR},
            "Fitted from scratch, then rotated towards v1, which changes no list. Mean cosine",
        ),
        (
            {"aligned_to": "v1", "not_warm": "it rained", **NEAR},
            "Fitted from scratch, because it rained, then rotated",
        ),
        ({"aligned_to": "v1", **NEAR, "mean_item_cosine": None}, "before and after: -; new: 1,200 users, 3 items."),
        ({"started_from": "v1", **NEAR, **FOUND}, "started from those of v1. Mean cosine"),
        ({"started_from": "v1", **NEAR, **FOUND}, "Recall@20 on the training data is 0.8200; it was 0.8000"),
        ({"started_from": "v1", **NEAR, **FOUND}, "They are not the vectors that were evaluated"),
    ],
)
def test_what_ties_the_vectors_is_said(training, said):
    text = tied_to(Continuity.model_validate(training))
    assert text is None if said is None else said in (text or "")
