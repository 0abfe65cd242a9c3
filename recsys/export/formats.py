"""Lists as Parquet, CSV or JSON lines, written to an open file."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import PurePath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from recsys.errors import ConfigError
from recsys.export.lists import ENCODED, SCHEMA
from recsys.export.target import ListWriter

Format = Callable[[pa.NativeFile], AbstractContextManager[ListWriter]]
"""Makes a writer of lists into an open file, which it leaves open."""


def format_of(name: str, *, shown: str) -> Format:
    """The format that the ending of `name` says. Raises ConfigError, which calls the file `shown`."""
    ending = PurePath(name).suffix
    if ending not in _FORMATS:
        raise ConfigError(f"{shown}: got the ending {ending!r}, expected one of {', '.join(_FORMATS)}")
    return _FORMATS[ending]


class _Tables:
    """A writer of pyarrow's, for tables of `schema`, as a ListWriter."""

    def __init__(
        self, writer: AbstractContextManager[pa_csv.CSVWriter | pa_parquet.ParquetWriter], schema: pa.Schema
    ) -> None:
        self._writer, self._schema = writer, schema

    def __enter__(self) -> "_Tables":
        self._open = self._writer.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._writer.__exit__(*raised)

    def write(self, lists: pa.Table) -> None:
        self._open.write_table(lists.cast(self._schema))


class _JsonLines:
    """One JSON object per line; a score is the shortest text that gives the same float32 back."""

    def __init__(self, file: pa.NativeFile) -> None:
        self._file = file

    def __enter__(self) -> "_JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        """The file stays open."""

    def write(self, lists: pa.Table) -> None:
        lines = pc.binary_join_element_wise(json_objects(lists.cast(SCHEMA)), "", "\n")
        self._file.write("".join(lines.to_pylist()).encode())


def json_objects(table: pa.Table) -> pa.Array:
    """Every row as the text of a JSON object."""
    fields = []
    for before, name in zip("{" + "," * (table.num_columns - 1), table.column_names, strict=True):
        fields += [f'{before}"{name}":', _json_texts(table[name].combine_chunks())]
    return pc.binary_join_element_wise(*fields, "}", "")


def _json_texts(values: pa.Array) -> pa.Array:
    """Each value as JSON writes it."""
    if not pa.types.is_string(values.type):
        return values.cast(pa.string())  # Arrow writes the shortest text of a float32
    distinct = values.dictionary_encode()
    return pa.array(map(json.dumps, distinct.dictionary.to_pylist()), pa.string()).take(distinct.indices)


def _parquet(file: pa.NativeFile) -> AbstractContextManager[ListWriter]:
    """Texts are read back as texts. Statistics help to find a user; those of other columns take half of the time."""
    writer = pa_parquet.ParquetWriter(
        file,
        ENCODED,
        compression="zstd",
        use_dictionary=[name for name in SCHEMA.names if name != "score"],
        write_statistics=["user_id"],
        store_schema=False,
    )
    return _Tables(writer, ENCODED)


def _csv(file: pa.NativeFile) -> AbstractContextManager[ListWriter]:
    return _Tables(pa_csv.CSVWriter(file, SCHEMA), SCHEMA)


_FORMATS: dict[str, Format] = {".parquet": _parquet, ".csv": _csv, ".jsonl": _JsonLines}
