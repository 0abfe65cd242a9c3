"""Pages: rows are filled with what the rows above left, and say what they are about."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.engine import Engine, Event, Question
from recsys.engine.pages import FEW_RECENT, NO_HISTORY, NO_ITEM, NO_RECENT, Page, PageAnswer, build_page
from recsys.engine.scenarios import Row, read_scenarios
from recsys.errors import ConfigError, InvalidRequestError


@pytest.fixture(scope="module")
def engine(make_bundle: Any) -> Engine:
    rng = np.random.default_rng(8)
    seen = sp.random(20, 60, density=0.1, format="csr", rng=rng, dtype=np.float32)
    table = pa.table({"title": [f"Item {at}" for at in range(60)], "price": np.arange(60.0)})
    bundle: Bundle = make_bundle(seen, rng.normal(size=(20, 6)), rng.normal(size=(60, 6)), table=table)
    return Engine(bundle)


def page(
    engine: Engine,
    *rows: Row,
    keep_empty: bool = False,
    item_id: str | None = None,
    lately: Mapping[str, int] | None = None,
    **asked: Any,
) -> PageAnswer:
    question = Question(**{"user_id": "u0001", **asked})
    asked_for = Page(question=question, rows=rows, keep_empty=keep_empty, item_id=item_id, lately=lately or {})
    return build_page(engine, asked_for)


def ids(answer: PageAnswer) -> list[list[str]]:
    return [[item.item_id for item in row.answer.items] for row in answer.rows]


KINDS = ("for_you", "because", "popular", "because", "similar", "popular_lately", "for_you")


def test_no_item_stands_on_the_page_twice_and_rows_keep_their_k(engine: Engine) -> None:
    found = page(engine, *(Row(kind=kind, k=6) for kind in KINDS), item_id="i0007", exclude=("i0007",))
    listed = [item_id for row in ids(found) for item_id in row]
    assert [len(row) for row in ids(found)] == [6] * len(KINDS)
    assert len(listed) == len(set(listed))
    assert not {"i0007", *(it.item_id for it in engine.history("u0001"))} & set(listed)
    assert all([item.rank for item in row.answer.items] == [1, 2, 3, 4, 5, 6] for row in found.rows)


def test_the_first_row_is_the_list_and_popular_is_by_popularity(engine: Engine) -> None:
    found = page(engine, Row(kind="for_you", k=5), Row(kind="popular", k=5, filter="price < 30"))
    assert found.rows[0].answer.items == engine.recommend("u0001", k=5).items
    popular = engine.ask(
        Question(user_id="u0001", popular=True, k=5, filter="price < 30", exclude=tuple(ids(found)[0]))
    )
    assert found.rows[1].answer.items == popular.items


def test_rows_of_the_same_kind_are_about_different_items_of_the_history(engine: Engine) -> None:
    found = page(engine, Row(kind="because", k=3), Row(kind="because", title="More {title}", k=3))
    first, second = (row.about for row in found.rows)
    history = [it.item_id for it in engine.history("u0001")]
    assert first is not None and second is not None
    assert first.item_id != second.item_id
    assert {first.item_id, second.item_id} <= set(history)
    assert found.rows[0].title == f"Because you took {first.title}"
    assert found.rows[1].title == f"More {second.title}"


def test_the_latest_event_comes_first(engine: Engine) -> None:
    events = (Event("i0011", timestamp=50.0), Event("i0012"), Event("i0013", timestamp=70.0))
    found = page(engine, Row(kind="because", k=3), Row(kind="because", k=3), events=events)
    assert [row.about.item_id for row in found.rows if row.about] == ["i0012", "i0013"]


def test_empty_rows_are_left_out_and_told_or_kept(engine: Engine) -> None:
    rows = (Row(kind="because"), Row(kind="similar"), Row(kind="popular", k=2))
    told = page(engine, *rows, user_id="stranger")
    assert [row.place for row in told.rows] == [2]
    reasons = {0: ("because", NO_HISTORY), 1: ("similar", NO_ITEM)}
    expected = tuple(f"row {at} ({kind}) is empty and left out: {why}" for at, (kind, why) in reasons.items())
    assert told.warnings == expected
    kept = page(engine, *rows, keep_empty=True, user_id="stranger")
    assert ([row.place for row in kept.rows], kept.warnings) == ([0, 1, 2], ())


def test_popular_lately_says_that_it_is_popular(engine: Engine) -> None:
    (row,) = page(engine, Row(kind="popular_lately", k=3)).rows
    assert NO_RECENT in row.answer.warnings


def test_popular_lately_is_in_the_order_of_people_and_filled_with_popular_items(engine: Engine) -> None:
    popular = [item.item_id for item in page(engine, Row(kind="popular", k=5)).rows[0].answer.items]
    lately = {popular[3]: 7, "not-of-this-version": 6, popular[4]: 2}
    (row,) = page(engine, Row(kind="popular_lately", k=4), lately=lately).rows
    assert [item.item_id for item in row.answer.items] == [popular[3], popular[4], popular[0], popular[1]]
    assert [item.rank for item in row.answer.items] == [1, 2, 3, 4]
    assert [item.score for item in row.answer.items] == [7, 2, 0, 0]
    assert row.answer.warnings[0] == FEW_RECENT.format(2)
    (whole,) = page(engine, Row(kind="popular_lately", k=2), lately=lately).rows
    assert ([item.item_id for item in whole.answer.items], whole.answer.warnings) == (popular[3:5], ())


def test_an_error_names_the_row(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError, match=r"^rows\.1: filter"):
        page(engine, Row(kind="popular"), Row(kind="because", filter="nonsense ="))


SCENARIOS = """
[scenarios.home]
rows = [{kind = "for_you", k = 12, diversity = 1}, {kind = "popular", filter = "price < 10"}]
[scenarios.product]
keep_empty = true
rows = [{kind = "similar", title = "Like {title}"}]
"""


def test_scenarios_are_read(tmp_path: Path) -> None:
    assert read_scenarios(tmp_path / "none.toml") == {}
    path = tmp_path / "scenarios.toml"
    path.write_text(SCENARIOS)
    found = read_scenarios(path)
    assert found["home"].rows[0] == Row(kind="for_you", k=12, diversity=1.0)
    assert (found["product"].keep_empty, found["product"].rows[0].title) == (True, "Like {title}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[scenarios.a\n", "line 1"),
        ("[scenario.a]\n", "scenario: unknown key; did you mean 'scenarios'"),
        ("[scenarios.a]\nrow = []\n", "scenarios.a.rows: Field required"),
        ("[scenarios.a]\nrows = []\n", "scenarios.a.rows"),
        ('[scenarios.a]\nrows = [{kind = "foryou"}]\n', "scenarios.a.rows.0.kind: got 'foryou'; expected 'for_you'"),
        ('[scenarios.a]\nrows = [{kind = "new", ks = 3}]\n', "scenarios.a.rows.0.ks: unknown key; did you mean 'k'"),
        ('[scenarios.a]\nrows = [{kind = "new", k = 0}]\n', "scenarios.a.rows.0.k: got 0; expected"),
        ('[scenarios.a]\nrows = [{kind = "new", filter = "price <"}]\n', "scenarios.a.rows.0.filter: filter"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "scenarios.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_scenarios(path)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)
