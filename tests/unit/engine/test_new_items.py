"""Items without users that have a vector all the same: listed as others are, and marked.

Six items: i0001 and i0004 have an empty column, degree 0 and popularity 0. i0001 has a vector, i0004 none.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.engine import Engine, Event, Question

SEEN = sp.csr_matrix(np.array([[3, 0, 0, 1, 0, 0], [0, 0, 2, 0, 0, 1], [0, 0, 1, 0, 0, 0]], np.float32))


@pytest.fixture(scope="module")
def engine(make_bundle: Callable[..., Bundle]) -> Engine:
    return Engine(
        make_bundle(
            SEEN,
            users=[[1, 0], [-1, 1], [0, 0]],
            items=[[1, 0], [3, 0], [1, 1], [2, 0], [0, 0], [-1, -1]],
            popularity=[1, 0, 2, 1, 0, 1],
            table=pa.table({"title": list("abcdef"), "price": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}),
        )
    )


def marks(listed) -> dict[str, bool | None]:
    return {item.item_id: item.new for item in listed}


def test_the_view_of_an_item_says_whether_it_is_new(engine: Engine) -> None:
    views = [engine.item(f"i000{number}") for number in (0, 1, 4)]
    assert [(it.new, it.has_vector, it.n_users) for it in views] == [
        (None, True, 1),
        (True, True, 0),
        (None, False, 0),
    ]


@pytest.mark.parametrize("extra", [{}, {"filter": "price < 3"}, {"diversity": 0.3}, {"boosts": {"i0000": 2.0}}])
def test_a_list_marks_them(engine: Engine, extra: dict) -> None:
    found = marks(engine.ask(Question(user_id="u0000", k=2, exclude_seen=False, **extra)).items)
    assert found["i0001"] is True
    assert [new for item, new in found.items() if item != "i0001"] == [None]


def test_neighbours_and_candidates_mark_them(engine: Engine) -> None:
    assert marks(engine.similar("i0000", k=2).items) == {"i0001": True, "i0003": None}
    ranked = engine.rank(["i0001", "i0002", "i0004", "none"], user_id="u0000").items
    assert marks(ranked) == {"i0001": True, "i0002": None, "i0004": None, "none": None}


def test_a_fallback_is_by_popularity_which_they_have_none_of(engine: Engine) -> None:
    answer = engine.ask(Question(k=6))
    assert "i0001" not in marks(answer.items)
    assert answer.warnings[-1] == "only 4 items can be listed because of items without interactions"


def test_a_short_list_says_what_the_items_without_a_vector_lack(engine: Engine) -> None:
    answer = engine.ask(Question(user_id="u0001", k=6, exclude_seen=False))
    assert answer.warnings == (
        "only 5 items can be listed because of items without interactions of which too little is known",
    )


def test_one_that_was_just_used_counts_for_nothing_and_is_not_listed_again(engine: Engine) -> None:
    answer = engine.ask(Question(events=(Event("i0001"), Event("i0000")), k=5))
    assert answer.unknown_items == ()
    assert "i0001" not in marks(answer.items)
