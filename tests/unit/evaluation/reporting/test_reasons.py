import pytest

from recsys.data.ingest.refusals import REASONS
from recsys.data.splits.holdout import MEANINGS
from recsys.evaluation.reporting.reasons import explain


@pytest.mark.parametrize("reason", REASONS)
def test_every_refusal_is_explained(reason):
    assert explain(str(reason)) == reason.meaning


def test_every_reason_of_a_split_is_explained():
    reasons = [*MEANINGS, "too_few_items"]
    assert all(explain(reason) != reason.replace("_", " ") for reason in reasons)


def test_an_unknown_reason_is_spelled_out():
    assert explain("fell_off_the_cart") == "fell off the cart"
