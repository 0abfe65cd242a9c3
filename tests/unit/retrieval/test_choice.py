"""What is published, and why: planted clusters that an approximation finds, and noise that it does not."""

import itertools

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from recsys.config import IndexConfig
from recsys.errors import ModelError
from recsys.retrieval import choice
from recsys.retrieval.choice import choose_index

N_ITEMS, FACTORS = 8000, 8


@pytest.fixture(autouse=True)
def _every_catalogue_is_large(monkeypatch):
    """So that small ones can stand in: they are worth an index, and exact search is charged for a million items."""
    monkeypatch.setattr(choice, "PAYS_ABOVE", 1)
    monkeypatch.setattr(choice, "exact_microseconds", lambda shape: 10_000.0)
    with threadpool_limits(1):  # many small steps: threads would mostly wait for each other
        yield


@pytest.fixture(scope="module")
def centres():
    return np.random.default_rng(3).normal(size=(40, FACTORS))


@pytest.fixture(scope="module")
def items(centres):
    rng = np.random.default_rng(4)
    return (centres[np.arange(N_ITEMS) % 40] + 0.1 * rng.normal(size=(N_ITEMS, FACTORS))).astype(np.float32)


@pytest.fixture(scope="module")
def queries(centres):
    rng = np.random.default_rng(5)
    return (centres[rng.integers(0, 40, 80)] + 0.1 * rng.normal(size=(80, FACTORS))).astype(np.float32)


@pytest.fixture(scope="module")
def seen(items, queries, excluded):
    return excluded(np.argsort(-(queries @ items.T), axis=1)[:, :5].tolist(), N_ITEMS)


def test_the_cheapest_that_meets_the_target_is_published(items, queries, seen, answers):
    chosen = choose_index(items, queries, IndexConfig(recall_target=0.9), exclude=seen)
    assert [each.kind for each in chosen.candidates] == ["exact", "ivf_sq8", "ivf_pq"]
    meeting = [each for each in chosen.candidates if each.meets_target]
    assert chosen.chosen is min(meeting, key=lambda each: each.estimated_microseconds)
    assert chosen.index.kind == chosen.chosen.kind != "exact"
    assert set(chosen.chosen.recall) == {
        "seen left out",
        "seen left out, 10 wanted",
        "nothing left out",
        "nothing left out, 10 wanted",
        "50% allowed",
        "10% allowed",
        "1% allowed",
    }
    assert min(chosen.chosen.recall.values()) >= 0.9


def test_the_clock_has_no_say(items, queries, monkeypatch):
    clock = itertools.cycle([1.0, 1e9, 5.0])
    monkeypatch.setattr(choice, "microseconds_of", lambda *_: next(clock))
    kinds = {choose_index(items, queries, IndexConfig(recall_target=0.9)).index.kind for _ in range(2)}
    assert len(kinds) == 1
    assert kinds != {"exact"}


def test_exact_stays_where_nothing_is_clearly_cheaper(items, queries, monkeypatch):
    monkeypatch.setattr(choice, "exact_microseconds", lambda shape: 60.0)
    chosen = choose_index(items, queries, IndexConfig(recall_target=0.5))
    assert any(each.meets_target for each in chosen.candidates[1:])
    assert chosen.index.kind == "exact"


def test_exact_stays_where_the_target_is_not_met(rng, monkeypatch):
    noise = rng.normal(size=(N_ITEMS, FACTORS)).astype(np.float32)
    monkeypatch.setattr(choice, "measure", lambda *_: {"nothing left out": 0.98})
    chosen = choose_index(noise, noise[:40], IndexConfig(recall_target=0.99))
    assert chosen.index.kind == "exact"
    assert not any(each.meets_target for each in chosen.candidates[1:])


def test_a_small_catalogue_is_not_even_tried(items, queries, monkeypatch):
    monkeypatch.setattr(choice, "PAYS_ABOVE", items.size + 1)
    chosen = choose_index(items, queries, IndexConfig())
    assert [each.kind for each in chosen.candidates] == ["exact"]
    assert chosen.summary()["recall@100"] == 1.0


@pytest.mark.parametrize("kind", ["exact", "ivf_flat", "ivf_sq8", "ivf_pq", "hnsw"])
def test_a_family_by_name(items, queries, kind):
    chosen = choose_index(items, queries, IndexConfig(kind=kind, recall_target=0.6))
    assert chosen.index.kind == chosen.summary()["kind"] == kind
    assert {each.kind for each in chosen.candidates} == {"exact", kind}


def test_a_family_by_name_that_misses_the_target_is_refused(items, queries, monkeypatch):
    monkeypatch.setattr(choice, "measure", lambda *_: {"seen left out": 0.75, "nothing left out": 0.9})
    with pytest.raises(ModelError, match=r"'hnsw' reaches a recall of 0\.7500 \(seen left out\); expected at least"):
        choose_index(items, queries, IndexConfig(kind="hnsw"))


def test_queries_that_are_zero_are_not_asked(items):
    chosen = choose_index(items, np.zeros((5, FACTORS), np.float32), IndexConfig())
    assert chosen.index.kind == "exact"
    assert chosen.chosen.microseconds == 0


def test_the_summary_has_every_candidate_and_says_which_is_published(items, queries):
    chosen = choose_index(items, queries, IndexConfig(kind="ivf_sq8", recall_target=0.9))
    summary = chosen.summary()
    assert {"kind", "probes", "candidates_compared", "recall@100", "recall@10", "candidates"} == set(summary)
    assert [each["published"] for each in summary["candidates"]] == [False, True]
    assert all(each["bytes"] > 0 for each in summary["candidates"][1:])
