"""Every filter that docs/filters.md shows is one."""

import re
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.engine.filters import compile_filter, parse_filter
from recsys.engine.filters.parsing import MAX_CONDITIONS, MAX_DEPTH, MAX_TEXT, MAX_VALUES

PAGE = (Path(__file__).parents[4] / "docs" / "filters.md").read_text("utf-8")
LANGUAGE = PAGE[: PAGE.index("## Bounds")]
SPANS = [doubled or single for doubled, single in re.findall(r"`` (.+?) ``|`([^`\n]+)`", LANGUAGE)]
FILTERS = [
    span
    for span in SPANS
    if re.match(r"(not )?(`Customer Price`|price|category|brand|in_stock|title|released|tags) ", span)
]


@pytest.fixture(scope="module")
def example_items():
    ids, _ = IdMap.of(["a"])
    columns = {"price": [1.0], "Customer Price": [1], "category": ["Mugs"], "brand": ["x"], "in_stock": [True]}
    return Items(ids, pa.table(columns | {"title": ["t"], "released": [date(2020, 1, 1)], "tags": [["pop"]]}))


def test_there_are_examples():
    assert len(FILTERS) >= 12


@pytest.mark.parametrize("text", [re.search("```text\n(.*)\n```", LANGUAGE)[1], *FILTERS])
def test_every_example_compiles(text, example_items):
    compile_filter(parse_filter(text), example_items)


@pytest.mark.parametrize("bound", [MAX_TEXT, MAX_CONDITIONS, MAX_DEPTH, MAX_VALUES])
def test_every_bound_is_named(bound):
    assert re.search(rf"\b{bound}\b", PAGE)
