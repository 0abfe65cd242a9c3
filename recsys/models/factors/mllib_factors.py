"""Item vectors that the ALS of Spark MLlib learned, as Parquet of `id` and `features`, and the labels of their ids.

What is read: the folder that `ALSModel.save` wrote, its `itemFactors`, or Parquet of such a data frame; and the
folder that `StringIndexerModel.save` wrote, whose labels the ids number.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.data.arrays import LARGEST, Bools, Floats, Indices
from recsys.data.id_map import IdMap
from recsys.errors import ConfigError, DataError
from recsys.suggestions import nearest_name

logger = logging.getLogger(__name__)

ID, FEATURES = "id", "features"
_ITEM_FACTORS, _USER_FACTORS, _DATA, _LABELS = "itemFactors", "userFactors", "data", "labelsArray"
_MODEL, _INDEXER = "ALSModel", "StringIndexerModel"
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class FactorFiles:
    """`factors`: where the vectors are. `labels`: the StringIndexerModel of the items; None if ids are the log's.

    Messages name `model.item_factors` and `model.item_labels`.
    """

    factors: Path
    labels: Path | None = None

    def read(self, items: IdMap, n_factors: int) -> Floats:
        """float32 (n_items, n_factors): the vectors of `items`, zero for an item that has none; such are counted.

        Raises ConfigError if there is no such folder, or it holds something else; DataError, with file and row, if a
        vector has another length, holds NaN or infinity, or an id is missing, unknown to the labels or there twice,
        and if no item has a vector.
        """
        labels = None if self.labels is None else _labels_in(self.labels)
        vectors, seen = np.zeros((len(items), n_factors), np.float32), np.zeros(len(items), np.bool_)
        n_foreign, n_read, example = 0, 0, ""
        for file, first, batch in _batches(_table_of(self.factors)):
            ids = _external(batch.column(0), labels, file, first)
            rows = _vectors(batch.column(1), n_factors, file, first)
            at, known = items.encode(ids)
            _check_once(ids, at, np.flatnonzero(known).astype(np.int32), seen, file, first)
            seen[at] = True
            vectors[at] = rows[known]
            n_read, n_foreign = n_read + len(ids), n_foreign + int((~known).sum())
            example = example or ids[0].as_py()
        self._tell(n_read, n_foreign, seen, example)
        return vectors

    def check(self, n_factors: int) -> None:
        """Look at the labels and the first vectors, before any work. Raises ConfigError for what `read` refuses."""
        try:
            labels = None if self.labels is None else _labels_in(self.labels)
            for file, first, batch in _batches(_table_of(self.factors)):
                _external(batch.column(0), labels, file, first)
                _vectors(batch.column(1), n_factors, file, first)
                return
        except DataError as error:
            raise ConfigError(str(error)) from error

    def _tell(self, n_read: int, n_foreign: int, seen: Bools, example: str) -> None:
        if not n_read:
            raise DataError(f"{self.factors}: holds no vectors (model.item_factors)")
        if not seen.any():
            hint = "" if self.labels else "; ids that number labels need their StringIndexerModel (model.item_labels)"
            raise DataError(
                f"{self.factors}: none of its {n_read:,} ids is an item of the log, such as {example!r}"
                f" (model.item_factors){hint}"
            )
        logger.info("%s: vectors of %d items; %d are of no item of the log", self.factors, n_read, n_foreign)
        if missing := int((~seen).sum()):
            logger.warning(
                "%s: has no vector for %d of %d items of the log, which lists then leave out (model.item_factors)",
                self.factors, missing, len(seen),
            )  # fmt: skip


def _table_of(path: Path) -> Path:
    """The folder or the file with the vectors of items."""
    if not path.exists():
        raise ConfigError(f"model.item_factors: {path}: there is no such folder or file")
    if path.name == _USER_FACTORS:
        raise ConfigError(f"model.item_factors: {path}: holds vectors of users; expected {_ITEM_FACTORS} beside it")
    if (path / "metadata").is_dir():
        _check_class(path, _MODEL, "model.item_factors")
        return path / _ITEM_FACTORS
    return path


def _check_class(path: Path, expected: str, key: str) -> None:
    """Raise ConfigError if the folder holds another model than `expected`."""
    parts = sorted((path / "metadata").glob("part-*"))
    try:
        found = str(json.loads(parts[0].read_text(encoding="utf-8").splitlines()[0])["class"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"{key}: {path}: its metadata cannot be read; expected a saved {expected}") from error
    if found.rpartition(".")[2] != expected:
        raise ConfigError(f"{key}: {path}: holds a {found.rpartition('.')[2]}; expected a saved {expected}")


def _parquet_files(path: Path) -> list[Path]:
    files = [path] if path.is_file() else sorted(path.glob("*.parquet"))
    if not files:
        raise ConfigError(f"{path}: holds no Parquet files")
    return files


def _batches(path: Path) -> Iterator[tuple[Path, int, pa.RecordBatch]]:
    """Of each file, in order: its batches of id and features, and the number of their first row, from 1."""
    for file in _parquet_files(path):
        try:
            table, first = pq.ParquetFile(file), 1
            _check_columns(file, table.schema_arrow)
            for batch in table.iter_batches(_ROWS_AT_ONCE, columns=[ID, FEATURES]):
                yield file, first, batch.select([ID, FEATURES])
                first += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{file}: cannot be read as Parquet: {error}") from error


def _check_columns(file: Path, schema: pa.Schema) -> None:
    for name in (ID, FEATURES):
        if schema.names.count(name) != 1:
            near = nearest_name(name, schema.names)
            hint = f"; did you mean {near!r}?" if near else ""
            raise DataError(
                f"{file}: no column {name!r}{hint}; columns found: {', '.join(map(repr, schema.names))}; expected "
                f"{ID!r} and {FEATURES!r}, as MLlib writes them"
            )
    kind, form = schema.field(ID).type, schema.field(FEATURES).type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(f"{file}: column {ID!r} is {kind}, expected whole numbers or text")
    is_list = pa.types.is_list(form) or pa.types.is_large_list(form) or pa.types.is_fixed_size_list(form)
    if not is_list or not (pa.types.is_floating(form.value_type) or pa.types.is_integer(form.value_type)):
        raise DataError(f"{file}: column {FEATURES!r} is {form}, expected lists of numbers")


def _external(column: pa.Array, labels: pa.StringArray | None, file: Path, first: int) -> pa.StringArray:
    """The ids as the log has them."""
    if column.null_count:
        at = int(np.flatnonzero(np.asarray(column.is_null()))[0])
        raise DataError(f"{file}:{first + at}: {ID} is missing")
    if labels is None:
        return column.cast(pa.string())
    if not pa.types.is_integer(column.type):
        raise DataError(f"{file}: column {ID!r} is {column.type}, expected the whole numbers of model.item_labels")
    numbers = column.cast(pa.int64()).to_numpy()
    odd = np.flatnonzero((numbers < 0) | (numbers >= len(labels)))
    if len(odd):
        raise DataError(
            f"{file}:{first + odd[0]}: {ID} {numbers[odd[0]]} has no label; model.item_labels has {len(labels):,}"
        )
    return labels.take(pa.array(numbers))


def _vectors(column: pa.Array, n_factors: int, file: Path, first: int) -> Floats:
    """float32 (n, n_factors) of lists. Raises DataError for the first that is none."""
    lengths = pc.fill_null(pc.list_value_length(column), -1).to_numpy(zero_copy_only=False)
    if len(wrong := np.flatnonzero(lengths != n_factors)):
        got = "is missing" if lengths[wrong[0]] < 0 else f"has {lengths[wrong[0]]} numbers"
        raise DataError(
            f"{file}:{first + wrong[0]}: {FEATURES} {got}, expected {n_factors}; `model.factors` is their length"
        )
    flat = pc.list_flatten(column).cast(pa.float64()).to_numpy(zero_copy_only=False).reshape(-1, n_factors)
    if len(odd := np.flatnonzero(~(np.abs(flat).max(axis=1, initial=0) <= LARGEST))):
        raise DataError(f"{file}:{first + odd[0]}: {FEATURES} holds NaN or infinity, or a number beyond {LARGEST:g}")
    vectors: Floats = flat.astype(np.float32)
    return vectors


def _check_once(ids: pa.StringArray, at: Indices, rows: Indices, seen: Bools, file: Path, first: int) -> None:
    """Raise DataError if an item of the log has a second vector."""
    _, firsts = np.unique(at, return_index=True)
    again = seen[at].copy()
    again[np.setdiff1d(np.arange(len(at)), firsts)] = True
    if again.any():
        row = int(rows[np.flatnonzero(again)[0]])
        raise DataError(f"{file}:{first + row}: {ID} {ids[row].as_py()!r} has a vector already; expected one")


def _labels_in(path: Path) -> pa.StringArray:
    """The labels of a StringIndexerModel, by their number."""
    if not path.exists():
        raise ConfigError(f"model.item_labels: {path}: there is no such folder")
    if not (path / "metadata").is_dir():
        raise ConfigError(f"model.item_labels: {path}: expected the folder of a saved {_INDEXER}")
    _check_class(path, _INDEXER, "model.item_labels")
    try:
        found = pq.read_table(_parquet_files(path / _DATA)[0], columns=[_LABELS]).column(0).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: its labels cannot be read: {error}") from error
    if len(found) != 1 or len(found[0]) != 1:
        raise DataError(f"{path}: numbers {sum(map(len, found))} columns; expected the indexer of the items alone")
    return pa.array(found[0][0], pa.string())
