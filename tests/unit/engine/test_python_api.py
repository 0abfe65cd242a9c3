"""The engine as callers in Python ask it: ids and lists of several kinds, frames and texts of answers."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.data.ingest.external_ids import read_ids
from recsys.data.ingest.refusals import Reason
from recsys.data.matrix import InteractionMatrix
from recsys.engine import Engine, Event, Question, to_frame
from recsys.engine.ids import id_text
from recsys.errors import InvalidRequestError, UnknownItemError


@pytest.mark.parametrize("user_id", ["7", 7, np.int64(7), np.uint8(7), np.str_("7")], ids=repr)
def test_an_int_is_taken_as_its_digits(engine: Engine, user_id: Any) -> None:
    assert engine.recommend(user_id) == engine.recommend("7")
    assert type(Question(user_id=user_id).user_id) is str
    assert Event(user_id).item_id == "7"
    with pytest.raises(UnknownItemError, match="'7'"):
        engine.similar(user_id)
    assert engine.rank([user_id], user_id=user_id).unknown_items == ("7",)


@pytest.mark.parametrize(
    "wrong", [None, True, np.True_, 7.0, np.float64(7), b"7", float("nan"), pd.NA, ["7"]], ids=repr
)
def test_what_is_no_id_is_refused(engine: Engine, wrong: Any) -> None:
    calls: Sequence[tuple[str, Callable[[], object]]] = [
        ("user_id", lambda: engine.recommend(wrong)),
        ("user_id", lambda: engine.similar_users(wrong)),
        ("user_id", lambda: engine.history(wrong)),
        ("user_ids", lambda: engine.recommend_many(["u0000", wrong])),
        ("item_id", lambda: engine.similar(wrong)),
        ("item_id", lambda: engine.item(wrong)),
        ("item_id", lambda: Event(wrong)),
        ("item_ids", lambda: engine.items([wrong])),
        ("item_ids", lambda: engine.rank([wrong])),
        ("positive", lambda: engine.similar_to([wrong])),
        ("negative", lambda: engine.similar_to(["i0000"], [wrong])),
        ("exclude", lambda: Question(exclude=(wrong,))),
        ("include", lambda: Question(include=(wrong,))),
    ]
    for name, call in calls:
        with pytest.raises(InvalidRequestError, match=rf"^{name}: expected a text, got {_kind(wrong)}$"):
            call()


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__


def test_no_user_is_a_visitor_in_a_question_and_in_rank(engine: Engine) -> None:
    assert engine.ask(Question(user_id=None, events=(Event("i0000"),))).user_status == "folded_in"
    assert engine.rank(["i0000"], user_id=None).user_status == "fallback"


@pytest.mark.parametrize(
    "wrong", ["i0001", b"i0001", 1, None, {"i0001": 1}, np.array("i0001"), np.array([["i0001"]])], ids=repr
)
def test_what_is_no_list_is_refused(engine: Engine, wrong: Any) -> None:
    calls: Sequence[Callable[[], object]] = [
        lambda: engine.recommend_many(wrong),
        lambda: engine.rank(wrong),
        lambda: engine.items(wrong),
        lambda: engine.similar_to(wrong),
        lambda: engine.similar_to(["i0000"], wrong),
        lambda: Question(exclude=wrong),
        lambda: Question(events=wrong),
        lambda: Question(fields=wrong),
        *([] if wrong is None else [lambda: Question(include=wrong)]),
    ]
    for call in calls:
        with pytest.raises(InvalidRequestError, match="expected a list of"):
            call()


@pytest.mark.parametrize(
    "kind", [list, tuple, np.array, pd.Series, pd.Index, pa.array, lambda ids: pd.Series(ids, dtype="string"), iter]
)
def test_lists_of_ids_may_be_columns(engine: Engine, kind: Callable[[list[str]], Any]) -> None:
    ids = ["i0001", "i0002"]
    assert engine.similar_to(kind(ids)) == engine.similar_to(ids)
    assert engine.rank(kind(ids)) == engine.rank(ids)
    question = Question(user_id="u0000", include=kind(ids), exclude=kind(ids[:1]))
    assert question == Question(user_id="u0000", include=tuple(ids), exclude=("i0001",))
    assert [item.item_id for item in engine.ask(question).items] == ["i0002"]
    assert engine.recommend_many(kind(["u0000", "u0001"]), k=2) == engine.recommend_many(["u0000", "u0001"], k=2)


def test_numbers_of_numpy_are_numbers(engine: Engine) -> None:
    answer = engine.recommend("u0000", k=np.int64(3))
    assert answer == engine.recommend("u0000", k=3)
    assert type(answer.requested) is int
    Question(diversity=np.float32(0.5), boosts={np.int64(1): np.float64(2)}).check()


@pytest.mark.parametrize("k", [3.0, np.float32(3), True, np.True_, "3", None, 0, 1001], ids=repr)
def test_what_is_no_whole_k_is_refused(engine: Engine, k: Any) -> None:
    for call in (engine.recommend, engine.similar, engine.similar_users):
        with pytest.raises(InvalidRequestError, match="k: expected a whole number from 1 to 1000"):
            call("u0000", k=k)
    with pytest.raises(InvalidRequestError, match="k: expected a whole number"):
        engine.recommend_many(["u0000"], k=k)


def test_events_and_boosts_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"events.1: expected an Event, got dict"):
        Question(events=(Event("a"), {"item_id": "a"}))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="event: expected a text, got int"):
        Event("a", 5)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="boosts: expected a factor per item id, got list"):
        Question(boosts=["a"])  # type: ignore[arg-type]


# --- frames -------------------------------------------------------------------------------------------------------


def test_answers_become_one_frame(engine: Engine) -> None:
    first = engine.ask(Question(user_id="u0000", k=2, fields=("price",)))
    frame = to_frame([first, engine.recommend("nobody", k=1), engine.rank(["none"])])
    assert list(frame) == ["user_id", "item_id", "rank", "score", "model_version", "title", "user_status", "price"]
    assert frame["user_id"].tolist()[:3] == ["u0000", "u0000", "nobody"]
    assert frame["item_id"].tolist() == [*(item.item_id for item in first.items), "i0001", "none"]
    assert frame["rank"].tolist() == [1, 2, 1, 1]
    assert (frame["rank"].dtype, frame["score"].dtype) == (np.int32, np.float32)
    assert frame["score"].isna().tolist() == [False, False, False, True]
    assert frame["user_status"].tolist() == ["known", "known", "fallback", "fallback"]
    pd.testing.assert_frame_equal(first.to_frame(), frame[:2], check_dtype=False)


def test_a_frame_of_nothing_has_the_columns(engine: Engine) -> None:
    assert list(to_frame([])) == list(engine.recommend("u0003").to_frame())
    assert len(to_frame([])) == 0


def test_an_attribute_called_as_a_column_is_renamed(make_bundle: Callable[..., Bundle]) -> None:
    bundle = make_bundle(
        sp.csr_matrix(np.ones((1, 1), np.float32)), [[1.0]], [[1.0]], table=pa.table({"rank": ["first"]})
    )
    frame = Engine(bundle).ask(Question(k=1, fields=("rank",))).to_frame()
    assert (frame["rank"].tolist(), frame["item_rank"].tolist()) == ([1], ["first"])


# --- texts --------------------------------------------------------------------------------------------------------


def test_texts_are_short_and_say_what_it_is(engine: Engine, small: Bundle) -> None:
    version = engine.version
    assert repr(engine) == f"Engine('{version}', 4 users, 5 items, 2 factors)"
    assert repr(small) == f"Bundle('{version}', 4 users, 5 items, 2 factors, index exact)"
    assert repr(small.users) == "IdMap(4 ids: 'u0000', 'u0001', 'u0002', ...)"
    matrix = InteractionMatrix(small.users, small.items.ids, small.history)
    assert repr(matrix) == "InteractionMatrix(4 users x 5 items, 9 entries)"
    assert repr(Question(user_id="a", k=3, exclude=["b"])) == "Question(user_id='a', k=3, exclude=('b',))"  # type: ignore[arg-type]
    answer = engine.recommend("u0001", k=9)
    told = f"2 of 9 items: ['i0000', 'i0003'], warnings: 1, version: {version}"
    assert repr(answer) == f"Answer(user: 'u0001', status: known, {told})"
    assert repr(answer.items[0]).startswith("Ranked(item_id=")
    assert "reasons" not in repr(answer.items[0])


def test_the_engine_does_without_pandas() -> None:
    """Which takes a fifth of the time to start the service, and 30 MB of each of its processes."""
    code = "import sys, recsys.engine; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "text", ["101.0", "101.00", "-7.0", "0.0", "101", "007.0", "1.5", "1.0.0", "x1.0", "1e5", "\u0661.0", ""]
)
def test_an_id_is_read_as_the_log_reads_it(text: str) -> None:
    ids = read_ids(pa.array([text]), Reason.MISSING_USER, null_ids=()).ids
    assert id_text(text, "user_id").encode() == ids.dictionary_decode()[0].as_py()


def test_a_list_of_ids_is_too() -> None:
    assert Question(include=("7.0", "x"), exclude=["8.0"]).include == ("7", "x")
    assert Question(exclude=["8.0"]).exclude == ("8",)
