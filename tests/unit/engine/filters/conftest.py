"""A small shop, every filter one could write about it, and what passes said item by item."""

import operator
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.engine.filters import And, Attribute, Comparison, Contains, Filter, Literal, Membership, Missing, Not, Or

_BIG = 2**53 + 1
_ROWS: list[dict[str, Any]] = [
    {"title": "Red HEART", "price": 1.5, "year": 2000, "in stock": True, "category": "Mugs"},
    {"title": "Blue mug", "price": None, "year": 2001, "in stock": False, "category": "Cups"},
    {"title": None, "price": 3.0, "year": None, "in stock": None, "category": None},
    {"title": 'x"y\\z', "price": float("nan"), "year": _BIG, "in stock": True, "category": "Cups"},
    {"title": "Ärmel", "price": 25.0, "year": -(2**63), "in stock": False, "category": "in"},
    {"title": "", "price": -0.0, "year": 2**63 - 1, "in stock": True, "category": "mugs"},
]
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_texts = st.sampled_from(["Mugs", "Cups", "in", "", "ä", 'x"y\\z', "HEART", "m"]) | st.text(max_size=3)
_numbers = st.sampled_from(
    [0, 1.5, 3, -0.0, 2000, 2000.0, 2000.5, _BIG, float(_BIG), 2**63 - 1, float(2**63), -(2**63), 1e300, -1e300]
) | st.floats(allow_nan=False, allow_infinity=False)


def _conditions() -> st.SearchStrategy[Filter]:
    text = st.sampled_from(["title", "category", "id"]).map(Attribute)
    number = st.sampled_from(["price", "year"]).map(Attribute)
    truth = st.just(Attribute("in stock"))
    texts, numbers, truths = _texts.map(Literal), _numbers.map(Literal), st.booleans().map(Literal)
    signs = st.sampled_from(list(_SIGNS))
    kinds = ((text, signs, texts), (number, signs, numbers), (truth, st.just("="), truths))
    return st.one_of(
        *(st.builds(Comparison, *parts) for parts in kinds),
        *(
            st.builds(Membership, name, st.lists(value, min_size=1, max_size=4).map(tuple))
            for name, _, value in kinds
        ),
        st.builds(Contains, text, texts),
        st.builds(Missing, text | number | truth),
    )


def _grown(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(And, several) | st.builds(Or, several) | st.builds(Not, parts)


def _passes(tree: Filter, row: dict[str, Any]) -> bool:
    match tree:
        case And(parts):
            return all(_passes(part, row) for part in parts)
        case Or(parts):
            return any(_passes(part, row) for part in parts)
        case Not(part):
            return not _passes(part, row)
    value = row[tree.attribute.name]
    if value is None or value != value:
        return isinstance(tree, Missing)
    match tree:
        case Comparison(_, sign, literal):
            return _SIGNS[sign](value, literal.value)
        case Membership(_, literals):
            return any(value == literal.value for literal in literals)
        case Contains(_, literal):
            return str(literal.value).lower() in value.lower()
    return False


@pytest.fixture(scope="session")
def shop() -> Items:
    """Six items, a to f; each attribute is missing somewhere."""
    ids, _ = IdMap.of(list("abcdef"))
    return Items(ids, pa.table({name: [row[name] for row in _ROWS] for name in _ROWS[0]}))


@pytest.fixture(scope="session")
def trees() -> st.SearchStrategy[Filter]:
    """Filters that fit the shop."""
    return st.recursive(_conditions(), _grown, max_leaves=8)


@pytest.fixture(scope="session")
def passing() -> Callable[[Filter], list[bool]]:
    """Which of the shop's items pass, asked one by one."""
    rows = [row | {"id": item_id} for row, item_id in zip(_ROWS, "abcdef", strict=True)]
    return lambda tree: [_passes(tree, row) for row in rows]
