import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.artifacts.bundle import Bundle
from recsys.engine import Engine, Question
from recsys.engine.post_processing import diversified


def test_worked_by_hand() -> None:
    """Twins a and b, c across. Relevance 1, 0.9, 0 after scaling: with 0.4, b is worth 0.54 - 0.4, c 0."""
    scores = np.array([30, 29, 20], np.float32)
    vectors = np.array([[1, 0], [2, 0], [0, 1]], np.float32)
    assert diversified(scores, vectors, k=3, diversity=0.4).tolist() == [0, 1, 2]
    assert diversified(scores, vectors, k=3, diversity=0.5).tolist() == [0, 2, 1]  # 0.45 - 0.5 is below zero
    assert diversified(scores, vectors, k=2, diversity=1.0).tolist() == [0, 2]


def test_all_alike_and_none_at_all() -> None:
    same, none = np.ones((3, 2), np.float32), np.zeros((0, 2), np.float32)
    assert diversified(np.ones(3, np.float32), same, k=2, diversity=0.5).tolist() == [0, 1]
    assert diversified(np.zeros(0, np.float32), none, k=2, diversity=0.5).tolist() == []


def _slow(scores: list[float], vectors: list[np.ndarray], k: int, weight: float) -> list[int]:
    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    relevance = [(score - scores[-1]) / (scores[0] - scores[-1]) for score in scores]
    chosen = [0]
    while len(chosen) < k:
        value = {
            at: (1 - weight) * relevance[at] - weight * max(cosine(vectors[at], vectors[other]) for other in chosen)
            for at in range(len(scores))
            if at not in chosen
        }
        chosen.append(max(value, key=value.__getitem__))
    return chosen


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9_999), weight=st.sampled_from([0.1, 0.5, 0.9]))
def test_it_is_the_slow_way(seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    scores, vectors = -np.sort(-rng.normal(size=12)).astype(np.float32), rng.normal(size=(12, 4)).astype(np.float32)
    found = diversified(scores, vectors, k=6, diversity=weight).tolist()
    assert found == _slow(scores.tolist(), list(vectors.astype(np.float64)), 6, weight)


def _alikeness(large: Bundle, engine: Engine, diversity: float) -> float:
    answer = engine.ask(Question(user_id="u0001", k=20, diversity=diversity))
    positions, _ = engine.item_ids.encode([item.item_id for item in answer.items])
    vectors = large.model.embeddings.items[positions]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return float((unit @ unit.T).mean())


def test_more_diversity_makes_items_less_alike(large: Bundle, large_engine: Engine) -> None:
    plain, some, most = (_alikeness(large, large_engine, diversity) for diversity in (0.0, 0.5, 1.0))
    assert plain > some > most


def test_lists_stay_whole_and_keep_their_scores(large_engine: Engine) -> None:
    plain = large_engine.recommend("u0001", k=1_000)
    diverse = large_engine.ask(Question(user_id="u0001", k=50, diversity=0.7))
    scores = {item.item_id: item.score for item in plain.items}
    assert len({item.item_id for item in diverse.items}) == 50
    assert [item.rank for item in diverse.items] == list(range(1, 51))
    assert diverse.items[0] == plain.items[0]
    assert [item.score for item in diverse.items] == pytest.approx([scores[item.item_id] for item in diverse.items])
    assert large_engine.ask(Question(user_id="u0001", k=50, diversity=0.0)) == large_engine.recommend("u0001", k=50)


def test_a_fallback_can_be_diverse(engine: Engine) -> None:
    answer = engine.ask(Question(k=4, diversity=0.5))
    assert answer.user_status == "fallback"
    assert answer.items[0].item_id == "i0001"
    assert len({item.item_id for item in answer.items}) == 4
