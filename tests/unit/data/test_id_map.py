"""IdMap: encode and decode undo each other; what is unknown never becomes a number."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.arrow_file import write_arrow
from recsys.data.id_map import IdMap
from recsys.errors import ArtifactError, DataError

IDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=30)


@settings(max_examples=60, deadline=None)
@given(ids=IDS, others=IDS)
def test_encode_and_decode_undo_each_other(ids: list[str], others: list[str]) -> None:
    made, positions = IdMap.of(ids)
    assert made.decode(positions) == ids
    assert made.ids.to_pylist() == sorted(set(ids), key=str.encode)
    asked = ids + others
    for way in (asked, pa.array(asked, pa.string()), pa.chunked_array([pa.array(asked, pa.string())])):
        known_positions, known = made.encode(way)
        assert known_positions.dtype == np.int32
        assert known.tolist() == [id_ in set(ids) for id_ in asked]
        assert made.decode(known_positions) == [id_ for id_ in asked if id_ in set(ids)]
    assert [made.position(id_) for id_ in ids] == positions.tolist()


def test_it_says_which_ids_it_knows() -> None:
    made, _ = IdMap.of(["b", "a", "é"])
    assert [id_ in made for id_ in ("a", "é", "c", "", 1)] == [True, True, False, False, False]


def test_a_few_ids_and_many_are_found_the_same() -> None:
    made, _ = IdMap.of(["b", "a", "é"])
    asked = ["é", "x", "a", "", "b", "a"]
    few, many = made.encode(tuple(asked)), made.encode(tuple(asked), hash_from=0)
    assert few[0].tolist() == many[0].tolist() == [2, 0, 1, 0]
    assert few[1].tolist() == many[1].tolist()


@settings(max_examples=30, deadline=None)
@given(ids=IDS, others=IDS)
def test_small_maps_and_large_ones_find_the_same(ids: list[str], others: list[str]) -> None:
    made, _ = IdMap.of(ids)
    large = IdMap(pa.concat_arrays([pa.array(["\x00" * 9]), made.ids])[1:], list_up_to=-1, samples=3)
    assert [large.position(id_) for id_ in ids + others] == [made.position(id_) for id_ in ids + others]
    assert large.decode(range(len(large))) == made.decode(range(len(made)))


def test_unknown_is_none_and_a_position_outside_is_an_error() -> None:
    made, _ = IdMap.of(["a", "b"])
    assert made.position("aa") is None
    assert made.position("\ud800") is None
    for position in (-1, 2):
        with pytest.raises(IndexError, match=f"position {position} is outside a map of 2 ids"):
            made.id_at(position)


def test_any_kind_of_arrow_strings() -> None:
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        made, positions = IdMap.of(pa.array(["b", "a", "b"], kind)[1:])
        assert made.ids.to_pylist() == ["a", "b"]
        assert positions.tolist() == [0, 1]
        assert made.position("b") == 1


def test_a_null_is_no_id() -> None:
    with pytest.raises(DataError, match="1 ids are null"):
        IdMap.of(pa.array(["a", None]))


def test_nothing() -> None:
    made, positions = IdMap.of([])
    assert (len(made), len(positions), made.position("a")) == (0, 0, None)


def test_a_subset_keeps_the_order() -> None:
    made, _ = IdMap.of(["a", "b", "c"])
    part = made.take(np.array([0, 2], np.int32))
    assert part.decode([0, 1]) == ["a", "c"]
    assert part.position("c") == 1
    for wrong in ([2, 0], [1, 1]):
        with pytest.raises(DataError, match="increasing order"):
            made.take(np.array(wrong, np.int32))


def test_the_union_has_the_ids_of_both_in_order() -> None:
    one, _ = IdMap.of(["b", "d"])
    other, _ = IdMap.of(["a", "b", "é"])
    assert one.union(other).ids.to_pylist() == ["a", "b", "d", "é"]
    assert one.union(IdMap.of(["d"])[0]) is one
    assert one.union(IdMap.of([])[0]) is one


def test_a_saved_map_is_mapped_back(tmp_path: Path) -> None:
    for ids in (["b", "a\n", "é"], []):
        made, _ = IdMap.of(ids)
        made.save(tmp_path / "ids.arrow")
        loaded = IdMap.load(tmp_path / "ids.arrow")
        assert loaded.ids.to_pylist() == made.ids.to_pylist()
        assert [loaded.position(id_) for id_ in ids] == [made.position(id_) for id_ in ids]


@pytest.mark.parametrize(
    "table", [pa.table({"id": [1]}), pa.table({"name": ["a"]}), pa.table({"id": ["a", None]}), None]
)
def test_another_file_is_refused(tmp_path: Path, table: pa.Table | None) -> None:
    path = tmp_path / "ids.arrow"
    if table is None:
        path.write_bytes(b"no arrow")
    else:
        write_arrow(table, path)
    with pytest.raises(ArtifactError, match=r"ids\.arrow"):
        IdMap.load(path)
