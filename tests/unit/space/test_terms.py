import datetime

import numpy as np
import pyarrow as pa

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.space.terms import terms_of


def _terms(min_items: int = 1, **columns: object) -> dict[str, list[int]]:
    """By label, the positions of the items that have it."""
    table = pa.table(columns)
    ids, _ = IdMap.of([f"i{at:02d}" for at in range(table.num_rows)])
    found = terms_of(Items(ids, table), min_items=min_items)
    members = found.members.tocsc()
    return {label: members[:, at].indices.tolist() for at, label in enumerate(found.labels)}


def test_words_of_titles_have_three_letters_and_lower_case() -> None:
    assert _terms(title=["The ÉTÉ of 42, an été", "the end", None]) == {
        "title: the": [0, 1],
        "title: été": [0],
        "title: end": [1],
    }


def test_texts_truth_values_lists_and_days() -> None:
    day = datetime.date(2020, 5, 1)
    assert _terms(
        genre=["space", "sea", None],
        sold=[True, False, None],
        tags=[["a", "b", "a"], [], None],
        published=[day, None, day.replace(year=2021)],
    ) == {
        "genre: space": [0],
        "genre: sea": [1],
        "sold: true": [0],
        "sold: false": [1],
        "tags: a": [0],
        "tags: b": [0],
        "published: 2020": [0],
        "published: 2021": [2],
    }


def test_numbers_are_binned_in_fifths() -> None:
    found = _terms(price=[*map(float, range(10)), None])
    assert [len(rows) for rows in found.values()] == [2, 2, 2, 2, 2]
    assert found["price: 0 to 1"] == [0, 1]
    assert sorted(row for rows in found.values() for row in rows) == list(range(10))


def test_a_few_numbers_stand_for_themselves() -> None:
    assert _terms(stars=[5, 5, 4, None]) == {"stars: 5": [0, 1], "stars: 4": [2]}


def test_what_too_few_or_all_items_have_is_left_out() -> None:
    assert _terms(min_items=2, genre=["sea", "sea", "space"], shop=["x", "x", "x"]) == {"genre: sea": [0, 1]}


def test_counts_are_of_items() -> None:
    ids, _ = IdMap.of(["a", "b"])
    found = terms_of(Items(ids, pa.table({"title": ["owl owl", None]})), min_items=1)
    np.testing.assert_array_equal(found.counts, [1])
