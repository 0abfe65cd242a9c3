"""Planted faults: versions whose every hash is right and that must not serve all the same."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.artifacts.manifest import MANIFEST
from recsys.data.arrays import save_array
from recsys.data.arrow_file import map_arrow, write_arrow

Edit = Callable[[Path], None]


def _array(name: str, change: Callable[[Any], Any]) -> Edit:
    def edit(folder: Path) -> None:
        array = np.array(np.load(folder / name))
        changed = change(array)
        save_array(array if changed is None else changed, folder / name)

    return edit


def _put(value: float) -> Callable[[Any], None]:
    def put(array: Any) -> None:
        array.flat[len(array.flat) // 2] = value

    return put


def _ids(name: str, change: Callable[[list[str]], list[str]]) -> Edit:
    def edit(folder: Path) -> None:
        ids = change(map_arrow(folder / name).column("id").to_pylist())
        (folder / name).unlink()
        write_arrow(pa.table({"id": pa.array(ids, pa.string())}), folder / name)

    return edit


def _column(name: str, change: Callable[[pa.Table], pa.Table]) -> Edit:
    def edit(folder: Path) -> None:
        table = pa.table(map_arrow(folder / name))
        (folder / name).unlink()
        write_arrow(change(table), folder / name)

    return edit


def _json(name: str, change: Callable[[Any], None]) -> Edit:
    def edit(folder: Path) -> None:
        value = json.loads((folder / name).read_bytes())
        change(value)
        (folder / name).write_text(json.dumps(value), encoding="utf-8")

    return edit


def _set(**values: object) -> Callable[[Any], None]:
    return lambda value: value.update(values)


def _twice(ids: list[str]) -> list[str]:
    return [*ids[:-1], ids[-2]]


def _other_days(table: pa.Table) -> pa.Table:
    days = pa.array(np.full(table.num_rows, 2**31 - 1, np.int32), pa.date32())
    return table.set_column(table.column_names.index("day"), "day", days)


def _offset(folder: Path) -> None:
    """The int32 offset of a text that leads far outside the file."""
    content = bytearray((folder / "items.arrow").read_bytes())
    n = map_arrow(folder / "items.arrow").num_rows
    offsets = map_arrow(folder / "items.arrow").column("id").chunk(0).buffers()[1]
    at = content.find(bytes(offsets[: 4 * (n + 1)]))
    content[at + 4 * (n // 2) : at + 4 * (n // 2) + 4] = (2**31 - 1).to_bytes(4, "little")
    (folder / "items.arrow").write_bytes(content)


def _swap_structures(folder: Path) -> None:
    content = bytearray((folder / "index.structure").read_bytes())
    half = len(content) // 2  # the codes of the cells, not the header
    content[half:-64] = bytes(len(content) - 64 - half)
    (folder / "index.structure").write_bytes(content)


PLANTS: Mapping[str, Edit] = {
    "users in reverse order": _ids("users.arrow", lambda ids: ids[::-1]),
    "items in reverse order": _ids("items.arrow", lambda ids: ids[::-1]),
    "equal user ids": _ids("users.arrow", _twice),
    "equal item ids": _ids("items.arrow", _twice),
    "an empty id": _ids("items.arrow", lambda ids: ["", *ids[1:]]),
    "other users": _ids("users.arrow", lambda ids: [f"x{name}" for name in ids]),
    "a user to fold in who is trained": _ids("folded_in/users.arrow", lambda ids: [*ids[:-1], "user 001"]),
    "an offset outside the file": _offset,
    "a negated index": _array("index.npy", lambda array: -array),
    "a permuted index": _array("index.npy", lambda array: array[::-1].copy()),
    "a negated index of similar items": _array("similar.npy", lambda array: -array),
    "a permuted index of similar items": _array("similar.npy", lambda array: np.roll(array, 1, axis=0)),
    "a structure of other codes": _swap_structures,
    "user vectors of 3e38": _array("model/users.npy", lambda array: np.full_like(array, 3e38)),
    "an item vector of 3e38": _array("model/items.npy", _put(3e38)),
    "user vectors in another order": _array("model/users.npy", lambda array: np.roll(array, 1, axis=0)),
    "negated user vectors": _array("model/users.npy", lambda array: -array),
    "an item scale below zero": _array("model/item_scale.npy", lambda array: -array),
    "NaN item scale": _array("model/item_scale.npy", _put(np.nan)),
    "NaN degrees": _array("model/item_degree.npy", lambda array: np.full_like(array, np.nan)),
    "other degrees": _array("model/item_degree.npy", lambda array: np.roll(array, 1)),
    "alpha 'x'": _json("model/weighting.json", _set(alpha="x")),
    "alpha NaN": _json("model/weighting.json", _set(alpha=float("nan"))),
    "alpha below zero": _json("model/weighting.json", _set(alpha=-1)),
    "alpha true": _json("model/weighting.json", _set(alpha=True)),
    "regularization 'x'": _json("model/model.json", _set(regularization="x")),
    "regularization NaN": _json("model/model.json", _set(regularization=float("nan"))),
    "another algorithm": _json("model/model.json", _set(algorithm="popular")),
    "a strength of neighbours that is infinite": _json("model/model.json", _set(neighbours_strength=float("inf"))),
    "NaN popularity": _array("popularity.npy", _put(np.nan)),
    "popularity below zero": _array("popularity.npy", _put(-1)),
    "histories of other users": _array("seen.indptr.npy", lambda array: np.r_[array[:2] * 0, array[2:]]),
    "a weight of infinity": _array("seen.data.npy", _put(np.inf)),
    "an item that there is not": _array("seen.indices.npy", _put(10_000)),
    "days that no calendar has": _column("catalogue.arrow", _other_days),
    "a catalogue of other rows": _column("catalogue.arrow", lambda table: table.slice(1)),
    "content that is not of length one": _array("content/words/vectors.npy", lambda array: array * 2),
    "NaN content": _array("content/words/vectors.npy", _put(np.nan)),
    "an infinite place on the map": _array("map.npy", _put(np.inf)),
    "two million probes": _json("index.parameters.json", _set(probes=2_000_000)),
    "an index of another kind": _json("index.parameters.json", _set(kind="hnsw")),
    "counts of other users": _json(MANIFEST, lambda value: value["counts"].update(users=7)),
    "event weights that nobody knows": _json(
        MANIFEST, lambda value: value["config"].update(prepare={"repeats": "x"})
    ),
    "a golden score of another version": _json(
        "golden.json", lambda value: value["answers"][0]["scores"].__setitem__(0, 99.0)
    ),
}
"""By name: what is changed in a version's folder before it is sealed again."""
