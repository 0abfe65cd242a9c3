"""Kinds of attributes: declared, stored, or guessed; what is not of the kind is bounded, counted and told."""

import json
import logging
import random
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from recsys.config import ItemsConfig
from recsys.data.attributes import KINDS
from recsys.data.id_map import IdMap
from recsys.data.ingest.attribute_kinds import typed_attribute
from recsys.data.ingest.catalogue import read_items
from recsys.data.items import Items
from recsys.errors import DataError


def read(folder: Path, values: list[Any], **settings: Any) -> Items:
    """The catalogue of a CSV file with one attribute `x`; rows are in lines 2, 3, ..."""
    rows = [f'{at:03},"{value}"' for at, value in enumerate(values)]
    (folder / "a.csv").write_text("\n".join(["item,x", *rows]))
    return read_items(ItemsConfig(path=(folder / "a.csv",), attributes=("x",), **settings))


def values(items: Items) -> list[Any]:
    return items.table.column("x").to_pylist()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["1", "", "-20"], [1, None, -20]),
        (["+5", " 7 "], [5, 7]),
        (["2008.0", "1999."], [2008, 1999]),
        (["4.34", "5", ".99"], [4.34, 5.0, 0.99]),
        (["9.78e+12", "0.5", "1E3"], [9.78e12, 0.5, 1000.0]),
        (["9" * 30], [float("9" * 30)]),
        (["1,200", "9.50"], [1200.0, 9.5]),
        (["1,234,567", "12"], [1234567, 12]),
        (["1 200", "1'300", "1\u00a0400.5"], [1200.0, 1300.0, 1400.5]),
        (["1,200", "950"], ["1,200", "950"]),
        (["1,5", "2,75"], ["1,5", "2,75"]),
        (["007", "012"], ["007", "012"]),
        (["007", "12"], ["007", "12"]),
        (["1", "one"], ["1", "one"]),
        (["nan", "1", "NULL", "\\N", "N/A", "None"], [None, 1, None, None, None, None]),
        (["True", "False", ""], [True, False, None]),
        (["TRUE", "false"], [True, False]),
        (["t", "f"], ["t", "f"]),
        (["2010-01-02", "1905-12-31"], [date(2010, 1, 2), date(1905, 12, 31)]),
        (["2010-01-02", "2010-01-02T03:04:05.5"], [datetime(2010, 1, 2), datetime(2010, 1, 2, 3, 4, 5, 500_000)]),
        (
            ["2010-01-02 03:04:05 UTC", "2010-01-02t05:04+02:00"],
            [datetime(2010, 1, 2, 3, 4, 5), datetime(2010, 1, 2, 3, 4)],
        ),
        (["2010-01-02", "0000-00-00"], [date(2010, 1, 2), None]),
        (["2010-01-02T00:00"] * 4 + ["0001-01-01T00:00+14:00"], [datetime(2010, 1, 2)] * 4 + [None]),
        (["2010", "2011"], [2010, 2011]),
        (["['pop', 'rock']", "[]"], [["pop", "rock"], []]),
        (["Tea", " spaced "], ["Tea", " spaced "]),
        (["", ""], [None, None]),
    ],
)
def test_guessed_kinds(tmp_path: Path, written: list[str], expected: list[Any]) -> None:
    found = values(read(tmp_path, written))
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("number", ["007", "1,200.5", "2,000"], [7.0, 1200.5, 2000.0]),
        ("boolean", ["1", "0", "yes", "N", "t"], [True, False, True, False, True]),
        ("date", ["1999", "1999-05", "1999-05-06"], [date(1999, 1, 1), date(1999, 5, 1), date(1999, 5, 6)]),
        ("text", ["1", "2.0", "true"], ["1", "2.0", "true"]),
        ("list", ["Drama|Comedy ", "Noir", "[1, null]", ""], [["Drama", "Comedy"], ["Noir"], ["1"], None]),
    ],
)
def test_declared_kinds(tmp_path: Path, kind: Any, written: list[str], expected: list[Any]) -> None:
    items = read(tmp_path, written, types={"x": kind})
    assert values(items) == expected
    assert (items.kinds["x"], items.facts["x"].declared) == (kind, True)


def test_decimal_commas_and_the_separator_of_lists_are_settings(tmp_path: Path) -> None:
    assert values(read(tmp_path, ["1,5", "1.234,50", "2"], decimal=",")) == [1.5, 1234.5, 2.0]
    assert values(read(tmp_path, ["a;b"], types={"x": "list"}, list_separator=";")) == [["a", "b"]]
    assert values(read(tmp_path, ["NA", "DE", "?"], nulls=("?",))) == ["NA", "DE", None]


@pytest.mark.parametrize("bad", ["abc", "$5.00", "1,5", "007", "inf"])
def test_one_bad_price_is_an_unknown_price(tmp_path: Path, bad: str, caplog: pytest.LogCaptureFixture) -> None:
    items = read(tmp_path, ["0.50", "1.50", bad, "3.50", "4.50", "N/A"])
    assert values(items) == [0.5, 1.5, None, 3.5, 4.5, None]
    facts = items.facts["x"]
    assert (facts.kind, facts.n_unreadable, facts.unreadable, facts.unreadable_at) == ("number", 1, bad, "a.csv:4")
    assert (facts.n_rows, facts.n_unknown, facts.null_spellings) == (6, 2, {"N/A": 1})
    assert f"1 of 5 values are not a number and count as unknown, the first {bad!r} at a.csv:4" in caplog.text


def test_the_share_that_a_guess_allows_is_bounded(tmp_path: Path) -> None:
    def mixed(n_bad: int) -> list[str]:
        return ["x"] * n_bad + ["1"] * (100 - n_bad)

    assert read(tmp_path, mixed(5)).facts["x"].n_unreadable == 5
    many = read(tmp_path, mixed(6))
    facts = many.facts["x"]
    assert (many.kinds["x"], facts.n_unreadable, facts.n_unknown) == ("text", 0, 0)
    assert (facts.almost, facts.n_against, facts.against, facts.against_at) == ("number", 6, "x", "a.csv:2")


def test_a_column_that_became_text_names_the_row_that_did_it(tmp_path: Path) -> None:
    assert read(tmp_path, ["1", "2", "3"]).facts["x"].fault is None
    facts = read(tmp_path, ["1", "2", "$3", "$4", "5"]).facts["x"]
    assert (facts.kind, facts.fault) == ("text", "2 of 5 values are not of kind number, the first '$3' at a.csv:4")


def test_a_readable_row_of_an_item_counts_before_an_unreadable_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("item,x\na,soon\na,2\nb,3\nc,4\nd,5\n")
    items = read_items(ItemsConfig(path=(tmp_path / "a.csv",), attributes=("x",)))
    assert values(items) == [2, 3, 4, 5]


def test_a_declared_kind_that_no_value_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"items\.types\.x: none of 2 values is a date, such as 'a' at a\.csv:2"):
        read(tmp_path, ["a", "b"], types={"x": "date"})


def test_lists_in_text_are_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read(tmp_path, ["Drama|Comedy", "Noir", "Noir|Drama"])
    assert "values such as 'Drama|Comedy' look like lists; set items.types.x = \"list\"" in caplog.text


_NOW = datetime(2020, 1, 1, 12, tzinfo=UTC)
_ID = uuid.UUID(int=5)


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        (pa.array([date(2010, 1, 2), None]), "date", [date(2010, 1, 2), None]),
        (pa.array([date(2010, 1, 2)], pa.date64()), "date", [date(2010, 1, 2)]),
        (pa.array([_NOW], pa.timestamp("ns", "Europe/Berlin")), "date", [datetime(2020, 1, 1, 12)]),
        (pa.array([2**60, 0], pa.timestamp("us")), "date", [None, datetime(1970, 1, 1)]),
        (pa.array([Decimal("9.99"), None]), "number", [9.99, None]),
        (pa.array([2008.0, float("nan")]), "number", [2008, None]),
        (pa.array([1.5, float("inf")]), "number", [1.5, None]),
        (pa.array([2**64 - 1], pa.uint64()), "number", [float(2**64)]),
        (pa.array([True, None]), "boolean", [True, None]),
        (pa.array([["a", None], [], None]), "list", [["a"], [], None]),
        (pa.array([[1, 2]], pa.large_list(pa.int32())), "list", [["1", "2"]]),
        (pa.array([["a"]], pa.list_(pa.string(), 1)), "list", [["a"]]),
        (pa.array([["a"], None], pa.list_(pa.dictionary(pa.int8(), pa.string()))), "list", [["a"], None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "text", ["a", "b", "a"]),
        (pa.array([5, 6, 5]).dictionary_encode(), "number", [5, 6, 5]),
        (pa.array([{"w": 1}]), "text", ['{"w": 1}']),
        (pa.array([[[1], [2]]]), "text", ["[[1], [2]]"]),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())), "text", ['[["k", 1]]']),
        (pa.array([_ID.bytes], pa.uuid()), "text", [str(_ID)]),
        (pa.nulls(2), "text", [None, None]),
        (pa.array(["2020-01-02"], pa.large_string()), "date", [date(2020, 1, 2)]),
    ],
)
def test_stored_types_stay(tmp_path: Path, column: pa.Array, kind: str, expected: list[Any]) -> None:
    table = pa.table({"item": [f"{at}" for at in range(len(column))], "x": column})
    pq.write_table(table, tmp_path / "a.parquet")
    items = read_items(ItemsConfig(path=(tmp_path / "a.parquet",), attributes=("x",)))
    assert (items.kinds["x"], values(items)) == (kind, expected)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("text", ["5", "6"]), ("boolean", [True, None]), ("list", [["5"], ["6"]]), ("number", [5, 6])],
)
def test_a_declared_kind_goes_before_the_stored_type(tmp_path: Path, kind: Any, expected: list[Any]) -> None:
    stored = [1, 6] if kind == "boolean" else [5, 6]
    pq.write_table(pa.table({"item": ["a", "b"], "x": stored}), tmp_path / "a.parquet")
    items = read_items(ItemsConfig(path=(tmp_path / "a.parquet",), attributes=("x",), types={"x": kind}))
    assert values(items) == expected


def test_files_that_store_an_attribute_differently_agree_on_one_kind(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item": ["a"], "x": [1.5]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"item": ["b"], "x": ["2.5"]}), tmp_path / "b.parquet")
    assert values(read_items(ItemsConfig(path=(tmp_path,), attributes=("x",)))) == [1.5, 2.5]


def test_lists_and_truth_values_of_json_lines(tmp_path: Path) -> None:
    rows = [{"item": "a", "x": ["pop"], "y": True}, {"item": "b", "x": ["jazz", 1], "y": False}, {"item": "c"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    items = read_items(ItemsConfig(path=(tmp_path / "a.jsonl",), attributes=("x", "y")))
    assert (items.kinds["x"], items.kinds["y"]) == ("list", "boolean")
    assert values(items) == [["pop"], ["jazz", "1"], None]


def test_facts_and_kinds_are_kept_with_the_items(tmp_path: Path) -> None:
    items = read(tmp_path, ["1", "2", "3", "4", "x"])
    items.aligned(items.ids).save(tmp_path / "items.arrow")
    loaded = Items.load(tmp_path / "items.arrow", items.ids)
    assert (loaded.facts, loaded.kinds) == (items.facts, items.kinds)


_ODD = (
    *(
        "1",
        "+",
        "-0",
        "1e400",
        "1,200",
        "1.200,5",
        "1'200",
        "007",
        "inf",
        "9" * 25,
        "t",
        "TRUE",
        "2010",
        "2010-02-30",
    ),
    *("0001-01-01T00:00+14:00", "9999-12-31T23:59:59.9999999-14:00", "0000-00-00", "[", "[1,[2]]", "['a'", "[1e999]"),
    *("a|b", "|", "{}", "\x00", "\u0661", "\N{NO-BREAK SPACE}", "[" * 3000, "['\\d']", None),
)


def test_odd_values_of_any_kind_are_read_or_unknown_and_add_up() -> None:
    rng = random.Random(5)
    for _ in range(400):
        kind, decimal = rng.choice([None, *KINDS]), rng.choice(".,")
        settings = {"types": {} if kind is None else {"x": kind}, "decimal": decimal}
        config = ItemsConfig(path=(Path("a.csv"),), attributes=("x",), **settings)
        written = rng.choices(rng.sample(_ODD, 5), k=rng.randint(1, 12))
        try:
            column, facts = typed_attribute("x", pa.array(written, pa.string()), config, place_of=str)
        except DataError as error:
            assert "items.types.x: none of" in str(error)
            continue
        assert (len(column), column.null_count) == (len(written), facts.n_unknown)
        items = Items(IdMap.of([str(at) for at in range(len(column))])[0], pa.table({"x": column}))
        json.dumps([items.attributes(at) for at in range(len(column))], allow_nan=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attributes": ("x", "x")}, "attributes: 'x' is named more than once"),
        ({"attributes": ("item",)}, r"attributes: 'item' is the column of the id"),
        ({"title": "x", "attributes": ("x",)}, r"attributes: 'x' is the column of the title"),
        ({"title": "x", "attributes": ("title",)}, "attributes: 'title' is the name of the title's column"),
        ({"attributes": ("",)}, "at least 1 character"),
        ({"attributes": ("price",), "types": {"prize": "number"}}, "did you mean 'price'"),
        ({"attributes": ("x",), "types": {"x": "money"}}, "'text', 'number', 'boolean', 'date' or 'list'"),
    ],
)
def test_settings_that_contradict_each_other(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ItemsConfig(path=(tmp_path / "a.csv",), **settings)


def test_null_spellings_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        read(tmp_path, ["Tea", "NA", "NA"])
    assert "attribute 'x': rows that are unknown by items.nulls: 'NA' 2" in caplog.text


def test_an_attribute_without_any_value_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read(tmp_path, ["", "NA", ""])
    assert "attribute 'x': no row has a value; it is unknown for every item" in caplog.text
