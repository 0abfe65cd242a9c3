"""Lists worked out by hand, and the same lists whichever way they are asked for."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.artifacts.bundle import Bundle, seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.registry import Registry
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.engine import Answer, Engine, Ranked
from recsys.engine.answers import ITEM_WITHOUT_VECTOR, UNKNOWN_USER, USER_WITHOUT_VECTOR, ranked
from recsys.errors import InvalidRequestError, UnknownItemError, UnknownUserError


def ids(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.items]


def scores(answer: Answer) -> list[float]:
    return [item.score for item in answer.items]


# --- one user -------------------------------------------------------------------------------------------------------


def test_a_known_user_gets_inner_products_in_order(engine: Engine) -> None:
    """(1, 0) against b (0, 1), c (1, 1), d (2, 0): a is seen; b and e tie at zero, the lower position wins."""
    answer = engine.recommend("u0000", k=3)
    assert answer == Answer(
        model_version=engine.version,
        user_id="u0000",
        user_status="known",
        requested=3,
        items=(Ranked("i0003", 2.0, 1, "D"), Ranked("i0002", 1.0, 2, None), Ranked("i0001", 0.0, 3, "B")),
        warnings=(),
    )
    assert all(type(item.score) is float and type(item.rank) is int for item in answer.items)


def test_seen_items_come_back_only_when_asked_for(engine: Engine) -> None:
    assert ids(engine.recommend("u0000", k=3, exclude_seen=False)) == ["i0003", "i0000", "i0002"]


def test_item_vectors_are_scaled_for_scores_but_not_for_cosines(large: Bundle, large_engine: Engine) -> None:
    vectors = large.model.embeddings
    best = large_engine.recommend("u0001", k=1).items[0]
    item = int(best.item_id[1:])
    assert best.score == pytest.approx(float(vectors.users[1] @ vectors.items[item] * vectors.item_scale[item]))
    nearest = large_engine.similar("i0007", k=1).items[0]
    one, other = vectors.items[7], vectors.items[int(nearest.item_id[1:])]
    assert nearest.score == pytest.approx(float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)), abs=1e-6)


def test_an_unknown_user_gets_the_most_popular_labelled(engine: Engine) -> None:
    answer = engine.recommend("nobody", k=4)
    assert (answer.user_status, ids(answer)) == ("fallback", ["i0001", "i0002", "i0003", "i0000"])
    assert scores(answer) == [3.0, 3.0, 2.0, 1.0]
    assert answer.warnings == (UNKNOWN_USER,)


def test_a_user_with_a_zero_vector_gets_the_most_popular_they_have_not_seen(engine: Engine) -> None:
    answer = engine.recommend("u0002", k=2)
    assert (answer.user_status, ids(answer), answer.warnings) == (
        "fallback",
        ["i0001", "i0002"],
        (USER_WITHOUT_VECTOR,),
    )
    answer = engine.recommend("u0002", k=5)
    assert "i0003" not in ids(answer)
    assert "i0003" in ids(engine.recommend("u0002", k=5, exclude_seen=False))


def test_a_user_who_has_seen_everything_gets_nothing_and_is_told_why(engine: Engine) -> None:
    answer = engine.recommend("u0003")
    assert (answer.user_status, answer.items) == ("known", ())
    assert answer.warnings == ("no item can be listed because of what this user has already seen",)
    assert len(engine.recommend("u0003", exclude_seen=False).items) == 4


def test_a_short_list_says_why(engine: Engine) -> None:
    assert engine.recommend("u0000", k=3).warnings == ()
    assert engine.recommend("u0000", k=5).warnings == (
        "only 3 items can be listed because of what this user has already seen",
    )
    assert engine.recommend("u0000", k=6, exclude_seen=False).warnings == ("only 4 items can be listed",)
    assert engine.recommend("nobody", k=6).warnings == (UNKNOWN_USER, "only 5 items can be listed")
    assert engine.similar("i0000", k=5).warnings == ("only 3 other items can be listed",)


# --- many users -----------------------------------------------------------------------------------------------------


def test_many_are_answered_in_the_order_asked(engine: Engine) -> None:
    asked = ["u0001", "nobody", "u0000", "u0002", "u0001"]
    assert engine.recommend_many(asked, k=3) == [engine.recommend(user_id, k=3) for user_id in asked]
    assert engine.recommend_many([]) == []
    assert [answer.user_status for answer in engine.recommend_many(["x", "y"])] == ["fallback", "fallback"]


@pytest.mark.parametrize("k", [1, 10, 100])
def test_batches_and_exports_give_the_lists_of_single_questions(large_engine: Engine, k: int) -> None:
    users = [f"u{number:04}" for number in range(160)]
    single = [large_engine.recommend(user_id, k=k) for user_id in users]
    batch = large_engine.recommend_many(users, k=k)
    assert [ids(answer) for answer in batch] == [ids(answer) for answer in single]
    assert [answer.user_status for answer in batch] == [answer.user_status for answer in single]
    for one, other in zip(single, batch, strict=True):
        np.testing.assert_allclose(scores(one), scores(other), atol=1e-5)


@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_an_export_holds_every_users_list(large_engine: Engine, batch: int) -> None:
    exported: list[str] = []
    for user_ids, top in large_engine.iter_all(20, batch):
        assert len(user_ids) == len(top) <= batch
        for user_id, (indices, values) in zip(user_ids, top.rows(), strict=True):
            answer = large_engine.recommend(user_id, k=20)
            assert large_engine.item_ids.decode(indices) == ids(answer)
            np.testing.assert_allclose(values, scores(answer), atol=1e-5)
        exported += user_ids
    assert exported == large_engine.user_ids.ids.to_pylist()


def test_lists_are_those_of_a_plain_product(large: Bundle, large_engine: Engine) -> None:
    """The slow reference: all inner products, seen ones struck out, sorted."""
    product = large.model.embeddings.users.astype(np.float64) @ large.model.embeddings.scoring_items.T
    product[large.history.nonzero()] = -np.inf
    for user in (1, 2, 3, 159):
        remaining = int(np.isfinite(product[user]).sum())
        best = np.argsort(-product[user], kind="stable")[: min(50, remaining)]
        answer = large_engine.recommend(f"u{user:04}", k=50)
        assert ids(answer) == large_engine.item_ids.decode(best)
    assert len(large_engine.recommend("u0159", k=50).items) == 5


def test_no_list_holds_a_seen_or_repeated_item(large: Bundle, large_engine: Engine) -> None:
    for user, answer in enumerate(large_engine.recommend_many([f"u{number:04}" for number in range(160)], k=50)):
        listed = [int(item_id[1:]) for item_id in ids(answer)]
        assert not set(listed) & set(large.history[user].indices.tolist())
        assert len(set(listed)) == len(listed)
        assert [item.rank for item in answer.items] == list(range(1, len(listed) + 1))


def test_threads_get_the_answers_of_one_thread(large_engine: Engine) -> None:
    users = [f"u{number:04}" for number in range(100)]
    expected = [large_engine.recommend(user_id) for user_id in users]
    barrier = threading.Barrier(4)

    def all_of_them(_: int) -> list[Answer]:
        barrier.wait()
        return [large_engine.recommend(user_id) for user_id in users]

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(all_of_them, range(4)):
            assert [ids(answer) for answer in found] == [ids(answer) for answer in expected]


# --- items ----------------------------------------------------------------------------------------------------------


def test_similar_items_are_cosines_without_the_item_itself(engine: Engine) -> None:
    """a (1, 0): d (2, 0) points the same way, c (1, 1) half way, b (0, 1) not at all; e is all zero."""
    answer = engine.similar("i0000", k=3)
    assert ids(answer) == ["i0003", "i0002", "i0001"]
    assert scores(answer) == pytest.approx([1.0, 0.5**0.5, 0.0], abs=1e-6)
    assert (answer.user_status, answer.requested, answer.warnings) == (None, 3, ())


def test_an_item_with_identical_twins_is_still_not_its_own_neighbour(engine: Engine) -> None:
    assert ids(engine.similar("i0003", k=1)) == ["i0000"]  # a has the same direction and the lower position


def test_an_item_without_a_vector_has_no_neighbours_and_says_so(engine: Engine) -> None:
    answer = engine.similar("i0004")
    assert (answer.items, answer.warnings) == ((), (ITEM_WITHOUT_VECTOR,))


def test_an_item_is_shown_with_what_is_known_of_it(engine: Engine) -> None:
    view = engine.item("i0000")
    assert (view.item_id, view.title, view.attributes, view.n_users) == ("i0000", "Ä", {"price": 1.5}, 2)
    assert engine.item("i0001").attributes == {}
    assert engine.item("i0002").title is None


def test_unknown_items_and_users_are_errors_that_name_them(engine: Engine) -> None:
    for question in (engine.similar, engine.item):
        with pytest.raises(UnknownItemError, match="no such item in this version: 'nope'") as item:
            question("nope")
        assert item.value.item_ids == ("nope",)
    for ask in (engine.history, engine.similar_users):
        with pytest.raises(UnknownUserError, match="no such user in this version: 'nope'") as user:
            ask("nope")
        assert user.value.user_id == "nope"


def test_of_many_unknown_items_the_first_few_are_named(engine: Engine) -> None:
    unknown = [f"none {number}" for number in range(7)]
    with pytest.raises(UnknownItemError, match=r"'none 4' and 2 more$") as error:
        engine.similar_to(unknown)
    assert error.value.item_ids == tuple(unknown)


def test_a_history_is_heaviest_first(engine: Engine) -> None:
    assert engine.history("u0001") == (Ranked("i0002", 2.0, 1, None), Ranked("i0001", 1.0, 2, "B"))
    assert [item.item_id for item in engine.history("u0003", limit=2)] == ["i0000", "i0001"]


# --- the version ----------------------------------------------------------------------------------------------------


def test_the_manifest_is_that_of_the_version(small: Bundle, engine: Engine) -> None:
    assert engine.manifest is small.manifest
    assert engine.manifest.version == engine.version
    assert engine.version in repr(engine)


def test_a_version_from_disk_answers_as_the_one_in_memory(
    tmp_path: Path, large: Bundle, large_engine: Engine
) -> None:
    parts = ("users", "items", "model", "history", "popularity", "index", "similar")
    facts = ("config", "log", "counts", "metrics", "gates", "verdict")
    manifest = seal_bundle(
        tmp_path,
        Contents(**{name: getattr(large, name) for name in parts}),
        VersionFacts(**{name: getattr(large.manifest, name) for name in facts}),
    )
    loaded = Engine(Registry(tmp_path).load(manifest.version))
    for user_id in ("u0000", "u0001", "u0159", "nobody"):
        found, expected = loaded.recommend(user_id), large_engine.recommend(user_id)
        assert (found.items, found.user_status) == (expected.items, expected.user_status)
    assert loaded.similar("i0005").items == large_engine.similar("i0005").items
    assert loaded.version == manifest.version


# --- bounds ---------------------------------------------------------------------------------------------------------

QUESTIONS: dict[str, Callable[..., Any]] = {
    "recommend": lambda engine, external_id, k: engine.recommend(external_id, k=k),
    "recommend_many": lambda engine, external_id, k: engine.recommend_many(["u0000", external_id], k=k),
    "similar": lambda engine, external_id, k: engine.similar(external_id, k=k),
    "history": lambda engine, external_id, k: engine.history(external_id, limit=k),
    "item": lambda engine, external_id, k: engine.item(external_id),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("bad", ["", "x" * 257, "é" * 129, "\ud800"])
def test_ids_out_of_bounds_are_refused_and_not_repeated(engine: Engine, question: str, bad: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"_id: ") as caught:
        QUESTIONS[question](engine, bad, 10)
    assert not bad or bad not in str(caught.value)


@pytest.mark.parametrize("question", [name for name in QUESTIONS if name != "item"])
@pytest.mark.parametrize("bad", [0, -1, 1_001, True, 2.0, "10", None])
def test_k_out_of_bounds_is_refused(engine: Engine, question: str, bad: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"(k|limit): expected a whole number from 1 to 1000"):
        QUESTIONS[question](engine, "u0000", bad)
    with pytest.raises(InvalidRequestError, match="k: expected"):
        next(engine.iter_all(bad))


def test_the_bounds_themselves_are_allowed(engine: Engine) -> None:
    assert len(engine.recommend("u" * 256, k=1_000).items) == 5
    assert len(engine.recommend("é" * 128, k=1).items) == 1
    assert len(engine.similar("i0000", k=1_000).items) == 3


def test_a_place_of_a_list_cannot_be_changed_and_none_goes_missing(engine: Engine) -> None:
    (first, *_) = engine.recommend(engine.user_ids.id_at(0)).items
    with pytest.raises(FrozenInstanceError):
        first.score = 2.0  # type: ignore[misc]
    items = Items.without_attributes(IdMap.of(["a", "b"])[0])
    with pytest.raises(ValueError, match="shorter"):
        ranked(items, np.array([0, 1], np.int32), np.ones(1, np.float32))
