"""Titles are found by the beginnings of their words, with typing errors, the popular ones first."""

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.id_map import IdMap
from recsys.retrieval.titles.index import TitleIndex
from recsys.retrieval.titles.vocabulary import Vocabulary
from recsys.retrieval.titles.words import words_of_text

TITLES = [
    "Harry Potter and the Philosopher's Stone",
    "Harry Potter and the Chamber of Secrets",
    "The Harrowing",
    None,
    "Éloge de la folie",
    "Straße",
    "三体",
    "Stone",
    "Stone Mattress",
]
POPULARITY = np.array([10, 90, 5, 99, 1, 1, 1, 2, 50], np.float32)


@pytest.fixture(scope="module")
def index() -> TitleIndex:
    return TitleIndex.of(pa.array(TITLES, pa.string()), POPULARITY)


def test_words_have_no_case_accents_or_punctuation() -> None:
    assert words_of_text("Éloge, de l'ÉTÉ: Straße-3!", 9) == ["eloge", "de", "lete", "strasse", "3"]
    assert words_of_text("三体 Ⅱ", 9) == ["三", "体", "ii"]
    assert words_of_text(" ... ", 9) == []
    assert words_of_text("a b c", 2) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("harr", [1, 0, 2]),  # the first word of a title before a later one, then by popularity
        ("harry pott", [1, 0]),
        ("philosophers", [0]),
        ("stone", [7, 8, 0]),  # the whole title, then the first word, then another one
        ("potter stone", [0]),
        ("ELOGE", [4]),
        ("strass", [5]),
        ("体", [6]),
        ("harry dune", []),
        ("", []),
        ("?!", []),
    ],
)
def test_titles_are_found_best_first(index: TitleIndex, text: str, expected: list[int]) -> None:
    assert index.find(text, 10).tolist() == expected


@pytest.mark.parametrize(
    "text", ["hary potter", "harry poter", "harry pottre", "harrry potter", "harry qotter", "ahrry pot"]
)
def test_one_error_in_a_word_of_four_letters_is_forgiven(index: TitleIndex, text: str) -> None:
    assert index.find(text, 10, near=True).tolist() == [1, 0]
    assert index.find(text, 10).tolist() == []


def test_two_errors_are_forgiven_from_eight_letters_on(index: TitleIndex) -> None:
    assert index.find("phylosopers stone", 10, near=True).tolist() == [0]
    assert index.find("hxrrx", 10, near=True).tolist() == []
    assert index.find("teh", 10, near=True).tolist() == []


def test_what_is_spelt_right_comes_first() -> None:
    index = TitleIndex.of(pa.array(["stone", "storm stove"]), np.array([1, 1000], np.float32))
    assert index.find("stone", 10, near=True).tolist() == [0, 1]


def test_no_more_than_asked_for_and_ties_in_the_order_of_rows() -> None:
    index = TitleIndex.of(pa.array([f"book {at}" for at in range(50)]), np.ones(50, np.float32))
    assert index.find("book", 4).tolist() == [0, 1, 2, 3]


def test_nothing_is_found_among_nothing() -> None:
    assert TitleIndex.of(pa.nulls(0, pa.string()), np.zeros(0, np.float32)).find("a", 3).tolist() == []
    assert TitleIndex.of(pa.nulls(2, pa.string()), np.zeros(2, np.float32)).find("abcd", 3, near=True).tolist() == []


def test_near_words_are_those_of_a_slow_search() -> None:
    """Every word within one error is found, whichever letter it is in."""
    rng = np.random.default_rng(5)
    words = sorted({"".join(rng.choice(list("abcdef"), rng.integers(4, 8))) for _ in range(3_000)})
    vocabulary = Vocabulary(IdMap.of(words)[0])
    for word in words[::300]:
        wrong = {word[:at] + "z" + word[at + 1 :] for at in range(len(word))}
        wrong |= {word[:at] + "z" + word[at:] for at in range(len(word))}
        for text in wrong:
            assert word in {vocabulary.words.id_at(at) for _, at in vocabulary.near(text)}, (word, text)


def test_ids_that_begin_with_a_text_are_neighbours() -> None:
    ids = IdMap.of(["a", "ab", "abc", "b", "ä", "äb", "\U0001f600x"])[0]
    assert ids.decode(ids.starting_with("ab")) == ["ab", "abc"]
    assert ids.decode(ids.starting_with("ä")) == ["ä", "äb"]
    assert ids.decode(ids.starting_with("\U0001f600")) == ["\U0001f600x"]
    assert list(ids.starting_with("ac")) == []
    assert len(ids.starting_with("")) == len(ids)
    large = IdMap.of([f"i{at:06d}" for at in range(3_000)])[0]
    mapped = IdMap(large.ids, list_up_to=10)
    assert mapped.starting_with("i00012") == range(120, 130)
