"""Items compared by behaviour, by content and by both, and found by words; cosines worked out by hand."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.content.encoders.tfidf import TfidfConfig, fit_tfidf
from recsys.content.space import ContentSource, ContentSpace
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.engine import Answer, Engine
from recsys.errors import InvalidRequestError, NoContentError, NoTextSearchError

SEEN = sp.csr_matrix(np.ones((2, 5), np.float32))
LEARNED = [[1, 0], [2, 0], [0, 1], [1, 1], [0, 0]]
WORDS = np.array([[1, 0], [0, 1], [1, 0], [0, 0], [0.6, 0.8]], np.float32)
AUTHORS = np.array([[1], [1], [0], [0], [1]], np.float32)
TITLES = ["red mug", "blue mug", "red shirt", None, "blue shirt"]


def space() -> ContentSpace:
    words = ContentSource("words", "tfidf", ("title",), WORDS, 3.0)
    return ContentSpace((words, ContentSource("authors", "tfidf", ("author",), AUTHORS, 1.0)))


@pytest.fixture(scope="module")
def engine(make_bundle: Callable[..., Bundle]) -> Engine:
    table = pa.table({"title": pa.array(TITLES, pa.string()), "price": [1.0, 2.0, 3.0, 4.0, 5.0]})
    return Engine(make_bundle(SEEN, [[1, 0], [0, 1]], LEARNED, content=space(), table=table))


def scores(answer: Answer) -> dict[str, float]:
    return {item.item_id: pytest.approx(item.score, abs=1e-6) for item in answer.items}


def cosine(rows: list, one: int, other: int) -> float:
    a, b = np.array(rows[one], float), np.array(rows[other], float)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) or 1))


def content_rows() -> list:
    return np.hstack([WORDS * 3**0.5, AUTHORS]).tolist()


def test_by_content_the_cosine_is_the_weighted_mean_of_those_of_the_sources(engine: Engine) -> None:
    found = engine.similar("i0000", by="content", k=5)
    assert scores(found) == {f"i000{it}": cosine(content_rows(), 0, it) for it in (1, 2, 4)}
    assert found.warnings == ("only 3 other items can be listed",)


def test_by_both_it_is_the_mean_of_the_two_cosines(engine: Engine) -> None:
    expected = {f"i000{it}": (cosine(LEARNED, 0, it) + cosine(content_rows(), 0, it)) / 2 for it in (1, 2, 3, 4)}
    assert scores(engine.similar("i0000", by="both", k=5)) == expected


def test_an_item_without_a_learned_vector_has_neighbours_by_content(engine: Engine) -> None:
    assert engine.similar("i0004").items == ()
    assert next(iter(scores(engine.similar("i0004", by="content")))) == "i0001"
    assert engine.similar("i0003", by="content").items == ()
    assert engine.similar("i0003", by="content").warnings


def test_arithmetic_works_in_either_space(engine: Engine) -> None:
    rows = np.array(content_rows()) / np.maximum(np.linalg.norm(content_rows(), axis=1), 1e-9)[:, None]
    direction = rows[1] + rows[2] - rows[0]
    expected = rows[4] @ direction / np.linalg.norm(direction)
    found = engine.similar_to(["i0001", "i0002"], ["i0000"], by="content", k=1)
    assert scores(found) == {"i0004": expected}


@pytest.mark.parametrize("by", ["behaviour", "content", "both"])
def test_filters_leave_the_scores_of_the_others(engine: Engine, by: str) -> None:
    everything = scores(engine.similar("i0000", by=by, k=5))
    passing = {item: score for item, score in everything.items() if item in {"i0001", "i0002"}}
    assert scores(engine.similar("i0000", by=by, k=5, filter="price < 4")) == passing


def test_a_version_without_content_says_so(small: Bundle) -> None:
    engine = Engine(small)
    for by in ("content", "both"):
        with pytest.raises(NoContentError):
            engine.similar("i0000", by=by)
    with pytest.raises(NoContentError):
        engine.search("red")
    assert not engine.can_search
    with pytest.raises(InvalidRequestError, match="by: expected one of behaviour, content, both"):
        engine.similar("i0000", by="looks")


def test_a_version_whose_encoders_are_not_sealed_finds_nothing_by_words(engine: Engine) -> None:
    assert not engine.can_search
    with pytest.raises(NoTextSearchError):
        engine.search("red")


@pytest.fixture(scope="module")
def readable(make_bundle: Callable[..., Bundle]) -> Engine:
    """Titles and, in a list, tags; a second source cannot read texts and must not count."""
    tags = pa.array([["kitchen"], ["kitchen", "cold"], ["clothes"], ["clothes"], []], pa.list_(pa.string()))
    table = pa.table({"tags": tags, "title": pa.array(TITLES, pa.string()), "price": [1.0, 2.0, 3.0, 4.0, 5.0]})
    items = Items(IdMap.of([f"i000{it}" for it in range(5)])[0], table)
    words = fit_tfidf(items, TfidfConfig(min_items=1))
    sources = (
        ContentSource("words", "tfidf", words.columns, words.encode(items).vectors, 1.0, words),
        ContentSource("authors", "tfidf", ("author",), AUTHORS, 9.0),
    )
    return Engine(make_bundle(SEEN, [[1, 0], [0, 1]], LEARNED, content=ContentSpace(sources), table=table))


def test_words_find_the_items_that_have_them(readable: Engine) -> None:
    assert readable.can_search
    assert [item.item_id for item in readable.search("Red MUG", k=1).items] == ["i0000"]
    found = [item.item_id for item in readable.search("blue shirt", k=3, fields=("price",)).items]
    assert found[0] == "i0004"
    assert readable.search("blue", k=5, filter="price < 3").items[0].item_id == "i0001"
    assert {item.item_id for item in readable.search("clothes", k=2).items} == {"i0002", "i0003"}


def test_unknown_words_find_nothing_and_say_so(readable: Engine) -> None:
    answer = readable.search("zeppelin")
    assert (answer.items, answer.warnings) == ((), ("this version knows none of the words, so nothing is found",))


@pytest.mark.parametrize("text", ["", "  \n", "a" * 1001, 7, "\ud800"])
def test_texts_out_of_bounds_are_refused(readable: Engine, text: object) -> None:
    with pytest.raises(InvalidRequestError, match="text: "):
        readable.search(text)
