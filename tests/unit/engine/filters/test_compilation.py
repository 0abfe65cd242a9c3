from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.engine.filters import compile_filter, parse_filter
from recsys.errors import FilterError


def passing_ids(text, items):
    return "".join(items.ids.decode(np.flatnonzero(compile_filter(parse_filter(text), items))))


@given(data=st.data())
def test_the_mask_is_what_asking_every_item_says(trees, passing, shop, data):
    tree = data.draw(trees)
    np.testing.assert_array_equal(compile_filter(tree, shop), passing(tree))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("price < 20", "acf"),
        ("not price < 20", "bde"),
        ("price != 3", "abdef"),
        ("price is missing", "bd"),
        ("price is not missing and not price < 20", "e"),
        ("price = 0", "f"),
        ("price between 1.5 and 3", "ac"),
        ("category = 'Mugs'", "a"),
        ("category in ('Mugs', 'mugs')", "af"),
        ("category not in ('Mugs', 'mugs')", "bcde"),
        ("category >= 'D' and category < 'N'", "a"),
        ("title contains 'HEart'", "a"),
        ("title contains 'äR'", "e"),
        ("title contains ''", "abdef"),
        ("title = ''", "f"),
        ("title is missing", "c"),
        ("`in stock` = true", "adf"),
        ("`in stock` = false", "be"),
        ("`in stock` in (true, false)", "abdef"),
        ("id in ('a', 'z')", "a"),
        ("id > 'd'", "ef"),
        ("year < 2000.5", "ae"),
        ("year <= 1e300", "abdef"),
        ("year = 2000.5", ""),
        ("year in (2000.0, 2001.5)", "a"),
    ],
)
def test_conditions(text, ids, shop):
    assert passing_ids(text, shop) == ids


def test_whole_numbers_are_not_rounded(shop):
    assert passing_ids(f"year = {2**53}", shop) == ""
    assert passing_ids(f"year = {2**53 + 1}", shop) == "d"
    assert passing_ids(f"year >= {2**63 - 1}", shop) == "f"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('price < "x"', "filter, character 9: expected a number, because the attribute holds numbers"),
        ("price in (1, true)", "filter, character 14: expected a number, because the attribute holds numbers"),
        ("title = 3", "filter, character 9: expected a text in quotes, because the attribute holds texts"),
        (
            "`in stock` = 1",
            "filter, character 14: expected `true` or `false`, because the attribute holds truth values",
        ),
        ("`in stock` < true", "filter, character 14: expected `=` or `!=` for an attribute that is true or false"),
        (
            "year contains '20'",
            "filter, character 1: expected an attribute that holds texts or lists; this one holds numbers",
        ),
        (
            "title = 'a' and proce < 3",
            "filter, character 17: expected an attribute of the items; did you mean price? "
            "(there are id, title, price, year, `in stock`, category)",
        ),
    ],
)
def test_what_does_not_fit_the_items(text, message, shop):
    with pytest.raises(FilterError) as refused:
        compile_filter(parse_filter(text), shop)
    assert str(refused.value) == message


def test_an_unknown_name_is_not_repeated_and_the_known_are_bounded():
    ids, _ = IdMap.of(["x"])
    items = Items(ids, pa.table({f"attribute {at}": [1] for at in range(50)}))
    with pytest.raises(FilterError, match=r"there are id, `attribute 0`, .* and 31 more") as refused:
        compile_filter(parse_filter(f"{'z' * 4000} = 1"), items)
    assert "zz" not in str(refused.value)


def test_an_attribute_called_id_is_that_attribute():
    ids, _ = IdMap.of(["x", "y"])
    items = Items(ids, pa.table({"id": [7, 8]}))
    assert passing_ids("id = 8", items) == "y"


def test_other_kinds_of_columns():
    ids, _ = IdMap.of(["x", "y"])
    columns = {
        "small": pa.array([0.1, None], pa.float32()),
        "byte": pa.array([255, None], pa.uint8()),
        "day": pa.array([18_000, None], pa.date32()),
        "kind": pa.array(["a", None]).dictionary_encode(),
        "nothing": pa.nulls(2),
    }
    items = Items(ids, pa.table(columns))
    assert passing_ids("byte > -1 and byte in (255, 256, -1) and small < 0.2 and small > 0.1", items) == "x"
    assert passing_ids("day < '2020-01-01' and kind = 'a'", items) == "x"
    assert passing_ids("nothing is missing", items) == "xy"


@pytest.fixture(scope="module")
def films():
    """Days, times and lists; the fifth film has none of them, the fourth an empty list."""
    ids, _ = IdMap.of(list("abcde"))
    days = [date(2009, 12, 31), date(2010, 1, 1), date(2010, 6, 15), date(1905, 1, 1), None]
    columns = {
        "released": pa.array(days, pa.date32()),
        "shown": pa.array(
            [day and datetime(day.year, day.month, day.day, 12, 30) for day in days], pa.timestamp("us")
        ),
        "tags": pa.array([["pop", "rock"], ["k-pop"], ["Pop", None], [], None], pa.list_(pa.string())),
    }
    return Items(ids, pa.table(columns))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("released >= '2010-01-01'", "bc"),
        ("released > '2010-01-01'", "c"),
        ("released < '2010'", "ad"),
        ("released <= '2010'", "abcd"),
        ("released > '2010'", ""),
        ("released = '2010'", "bc"),
        ("released = '2010-06'", "c"),
        ("released != '2010'", "ade"),
        ("released in ('1905', '2009-12')", "ad"),
        ("released between '2009' and '2010-01'", "ab"),
        ("released is missing", "e"),
        ("shown >= '2010-01-01T12:30'", "bc"),
        ("shown > '2010-01-01 12:30:00'", "c"),
        ("shown = '2010-01-01'", "b"),
        ("shown = '2010-01-01T14:30+02:00'", "b"),
        ("shown <= '2010-01-01T12:29:59.999Z'", "ad"),
        ("tags = 'pop'", "a"),
        ("tags != 'pop'", "bcde"),
        ("tags in ('k-pop', 'rock')", "ab"),
        ("tags not in ('k-pop', 'rock')", "cde"),
        ("tags contains 'POP'", "ac"),
        ("not tags contains 'pop'", "bde"),
        ("tags is missing", "e"),
    ],
)
def test_dates_and_lists(text, ids, films):
    assert passing_ids(text, films) == ids


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("released >= 2010", 'a date in quotes, such as "2024-05-31", "2024-05" or "2024", because .* holds dates'),
        ("released >= '2010-02-30'", "a date in quotes"),
        ("released = 'soon'", "a date in quotes"),
        ("released contains '20'", "an attribute that holds texts or lists; this one holds dates"),
        ("tags = 3", "a text in quotes, because the attribute holds lists of texts"),
        ("tags < 'pop'", "`=`, `!=`, `in` or `contains` for an attribute that holds lists"),
    ],
)
def test_what_no_date_or_list_can_pass_is_an_error(text, expected, films):
    with pytest.raises(FilterError, match=f"expected {expected}"):
        compile_filter(parse_filter(text), films)


def test_masks_are_read_only_and_cover_every_item(shop):
    mask = compile_filter(parse_filter("price < 20"), shop)
    assert (mask.dtype, mask.shape) == (np.bool_, (6,))
    assert not mask.flags.writeable


def test_no_items():
    nothing = Items.without_attributes(IdMap.of([])[0])
    assert compile_filter(parse_filter("title = 'x' or not id = 'y'"), nothing).shape == (0,)
