from pathlib import Path

import pytest

from recsys.evaluation.definitions import (
    DEFINITIONS,
    accuracy_names,
    definitions_tree,
    metric_names,
    sorted_metrics,
    split_name,
)
from recsys.evaluation.metrics import ACCURACY

CONTRACT = [
    "recall",
    "recall_hits",
    "ndcg",
    "precision",
    "map",
    "mrr",
    "hit_rate",
    "coverage",
    "novelty",
    "diversity",
    "popularity_bias",
]


def test_every_metric_of_the_contract_is_defined():
    assert list(DEFINITIONS) == CONTRACT
    for definition in definitions_tree().values():
        assert all(definition.values())


def test_higher_is_better_in_the_accuracy_metrics_alone():
    assert [name for name, definition in DEFINITIONS.items() if definition.better == "higher"] == list(ACCURACY)


def test_names_carry_their_cutoff_and_one_item_has_no_diversity():
    names = metric_names((1, 20))
    assert "diversity@1" not in names
    assert {"diversity@20", "recall@1", "coverage@1"} <= set(names)
    assert accuracy_names((5,)) == [f"{name}@5" for name in ACCURACY]


def test_order_is_that_of_the_definitions_then_of_the_cutoff():
    assert split_name("recall@100") == ("recall", 100)
    assert sorted_metrics(["novelty@5", "recall@100", "recall@20"]) == ["recall@20", "recall@100", "novelty@5"]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_metric_is_documented(name):
    page = Path(__file__).parents[3] / "docs" / "metrics.md"
    assert f"`{name}@k`" in page.read_text(encoding="utf-8")
