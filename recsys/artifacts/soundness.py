"""Soundness: what a version must be beyond whole, so that it can serve: its parts fit each other and are in range.

The one check of `publish`, `rollback` and the service, made whenever a version is loaded. It reads every id, number
and date; parts that are compared with each other are compared in up to `MOST_COMPARED` numbers, evenly spread.
"""

from collections.abc import Iterator
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.search_check import check_index
from recsys.content.space import ContentSource
from recsys.data.arrays import Floats, largest
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.loading import damage_named
from recsys.data.matrix import Csr, entries_per_column
from recsys.errors import ArtifactError
from recsys.retrieval.rescoring import squared_lengths

MOST_COMPARED = 2**26
"""Numbers of one array that are compared with another array."""

_LONGEST_ID = 256
_MOST_WEIGHT = 1e20
_COUNTED_ENTRIES = 2**26
_LENGTH_SLACK = 1e-3
_FIRST_DAY, _LAST_DAY = date(1, 1, 1), date(9999, 12, 31)


def check_sound(contents: Contents, manifest: Manifest) -> None:
    """Raise ArtifactError, naming the part, unless `contents` can serve. `contents`: as loaded, of `manifest`."""
    with damage_named("bundle", "parts that fit each other"):
        _check_users(contents)
        _check_ids("items", contents.items.ids)
        _check_counts(contents, manifest)
        _check_degrees(contents, manifest.forgotten)
        _check_popularity(contents.popularity)
        _check_histories(contents)
        check_index(
            contents.index,
            contents.similar,
            contents.model.embeddings,
            manifest,
            most=MOST_COMPARED,
            queries=contents.user_vectors,
            n_queries=len(contents.users),
        )
        _check_catalogue(contents.items)
        for source in contents.content.sources if contents.content is not None else ():
            _check_source(source)


def _check_users(contents: Contents) -> None:
    _check_ids("users", contents.users)
    if (folded := contents.folded_in) is not None:
        _check_ids("users to fold in", folded.users)
        if pc.any(pc.is_in(folded.users.ids, value_set=contents.users.ids)).as_py():
            raise ArtifactError("bundle: users to fold in: some of them are trained users too")


def _check_ids(name: str, ids: IdMap) -> None:
    """Sorted by their bytes, each once, none empty or too long."""
    column, n = ids.ids, len(ids)
    if n > 1 and not pc.all(pc.less(column.slice(0, n - 1), column.slice(1))).as_py():
        raise ArtifactError(f"bundle: {name}: ids are not sorted, or one is there twice")
    bounds = pc.min_max(pc.binary_length(column))
    if n and not 1 <= bounds["min"].as_py() <= bounds["max"].as_py() <= _LONGEST_ID:
        raise ArtifactError(f"bundle: {name}: an id of {bounds['max'].as_py()} bytes or of none, expected 1 to 256")


def _check_counts(contents: Contents, manifest: Manifest) -> None:
    found = {"users": len(contents.users), "items": len(contents.items.ids), "entries": contents.history.nnz}
    for name, n in found.items():
        told = manifest.counts.get(name, n)
        if isinstance(told, int) and told != n:
            raise ArtifactError(f"bundle: {n:,} {name}, expected {told:,} from the manifest")
    if (kind := manifest.index.get("kind", contents.index.kind)) != contents.index.kind:
        raise ArtifactError(f"bundle: an index of kind {contents.index.kind!r}, expected {kind!r} from the manifest")


def _check_degrees(contents: Contents, n_forgotten: int) -> None:
    """The users of each item in training are those whose histories have it, and perhaps some who were forgotten."""
    degree, history = contents.model.item_degree, contents.history
    if not (float(degree.min(initial=0)) >= 0 and largest(degree) <= len(contents.users) + n_forgotten):
        raise ArtifactError("bundle: item degrees: not all are from 0 to the number of users")
    missing = degree.sum(dtype=np.float64) - history.nnz
    wrong = not 0 <= missing <= n_forgotten * history.shape[1]
    if not wrong and history.nnz <= _COUNTED_ENTRIES:
        of_forgotten = degree - entries_per_column(history)
        wrong = not (float(of_forgotten.min(initial=0)) >= 0 and float(of_forgotten.max(initial=0)) <= n_forgotten)
    if wrong:
        raise ArtifactError("bundle: item degrees: not the numbers of users whose histories have the items")


def _check_popularity(popularity: Floats) -> None:
    if not float(popularity.min(initial=0)) >= 0:
        raise ArtifactError("bundle: popularity: holds a number below zero")


def _check_histories(contents: Contents) -> None:
    neighbours, folded = contents.model.neighbours, contents.folded_in
    matrices: list[tuple[str, Csr]] = [("histories", contents.history)]
    matrices += [] if folded is None else [("histories of users to fold in", folded.history)]
    matrices += [] if neighbours is None else [("neighbours", neighbours.weights)]
    for name, matrix in matrices:
        if not largest(matrix.data) <= _MOST_WEIGHT:
            raise ArtifactError(f"bundle: {name}: a weight above {_MOST_WEIGHT:g}")
    if neighbours is not None and neighbours.weights.diagonal().any():
        raise ArtifactError("bundle: neighbours: an item adds to its own score")


def _check_catalogue(items: Items) -> None:
    """Every value has a JSON form; days lie in the years 1 to 9999."""
    _ = items.facts
    for name, column in zip(items.table.column_names, items.table.columns, strict=True):
        kind = column.type
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            _check_days(name, column)
        elif not (_is_number(kind) or _is_text(kind) or _is_text_list(kind)):
            raise ArtifactError(f"bundle: catalogue: {name!r} is {kind}, which is no kind of attribute")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    text = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(text) or pa.types.is_large_string(text) or pa.types.is_null(text))


def _is_text_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) and _is_text(kind.value_type))


def _check_days(name: str, column: pa.ChunkedArray) -> None:
    bounds = pc.min_max(column)
    for bound in (bounds["min"], bounds["max"]):
        try:
            day = bound.as_py()
        except (ValueError, OverflowError) as error:
            raise ArtifactError(f"bundle: catalogue: {name!r} holds a day outside the years 1 to 9999") from error
        if day is not None and not _FIRST_DAY <= (day.date() if isinstance(day, datetime) else day) <= _LAST_DAY:
            raise ArtifactError(f"bundle: catalogue: {name!r} holds a day outside the years 1 to 9999")


def _check_source(source: ContentSource) -> None:
    """Vectors of length one or zero, a weight above zero, and an encoder of the same dimension."""
    if not 0 < source.weight < np.inf:
        raise ArtifactError(f"bundle: content {source.name!r}: weight {source.weight}, expected a number above zero")
    if source.fitted is not None and source.fitted.dimension != source.vectors.shape[1]:
        raise ArtifactError(
            f"bundle: content {source.name!r}: vectors of {source.vectors.shape[1]} dimensions,"
            f" an encoder of {source.fitted.dimension}"
        )
    for rows in _blocks(source.vectors):
        squared = squared_lengths(np.asarray(source.vectors[rows]))
        if not ((np.abs(squared - 1) <= 3 * _LENGTH_SLACK) | (squared == 0)).all():  # NaN is neither
            raise ArtifactError(f"bundle: content {source.name!r}: a vector whose length is neither one nor zero")


def _blocks(vectors: Floats) -> Iterator[slice]:
    size = max(1, 2**20 // max(1, vectors.shape[1]))
    return (slice(start, start + size) for start in range(0, len(vectors), size))
