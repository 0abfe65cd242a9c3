"""Types of typed columns: what a log can be read from, and what stands in its way, named before a row is read."""

import uuid
from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.ingest.source import EVENT, ITEM, ITEM_ID, TIMESTAMP, USER, VALUE, RawBatch
from recsys.errors import DataError

_ID_KEYS = frozenset((USER, ITEM, ITEM_ID, EVENT))
_EXPECTED = {
    USER: "one id per row",
    ITEM: "one id per row",
    ITEM_ID: "one id per row",
    EVENT: "one kind of event per row",
    TIMESTAMP: "one time per row",
    VALUE: "one number per row",
}


def check_type(origin: str, key: str, name: str, kind: pa.DataType) -> None:
    """Raise DataError, naming `origin`, column `name` and its type, if the key's column cannot be read from `kind`.

    `key`: of the configuration, such as USER; other keys, as of attributes, take every type.
    """
    if key not in _EXPECTED or _is_readable(key, _storage(kind)):
        return
    section = "items" if key == ITEM_ID else "log"
    raise DataError(
        f"{origin}: column {name!r} holds {_described(kind)}; expected {_EXPECTED[key]} ({section}.{key})"
    )


def check_types(origin: str, schema: pa.Schema, places: Mapping[str, int]) -> None:
    """`check_type` for the column of each key; `places`: its position in `schema`."""
    for key, place in places.items():
        check_type(origin, key, schema.field(place).name, schema.field(place).type)


def plain_columns(rows: RawBatch) -> RawBatch:
    """The rows with plain columns (see `plain`). Raises DataError for a column of a type that cannot be read."""
    schema = rows.rows.schema
    for key, kind in zip(schema.names, schema.types, strict=True):
        check_type(rows.origin, key, rows.names.get(key, key), kind)
    for key in schema.names:
        _check_codes(rows.origin, rows.names.get(key, key), rows.rows.column(key))
    columns = [plain(key, rows.rows.column(key)) for key in schema.names]
    return replace(rows, rows=pa.RecordBatch.from_arrays(columns, names=schema.names))


def with_coded_ids(rows: RawBatch) -> RawBatch:
    """The rows with ids of text coded as a dictionary, so that all that follows looks at the distinct ones."""
    columns = [_coded(key, rows.rows.column(key)) for key in rows.rows.schema.names]
    return replace(rows, rows=pa.RecordBatch.from_arrays(columns, names=rows.rows.schema.names))


def _coded(key: str, column: pa.Array) -> pa.Array:
    is_text = pa.types.is_string(column.type) or pa.types.is_binary(column.type)
    return column.dictionary_encode() if key in _ID_KEYS and is_text else column


def _check_codes(origin: str, name: str, column: pa.Array) -> None:
    """Raise DataError for a column with codes that its dictionary does not have, as in a damaged file."""
    if not pa.types.is_dictionary(column.type) or not len(column):
        return
    bounds = pc.min_max(column.indices)
    if bounds["max"].is_valid and not 0 <= bounds["min"].as_py() <= bounds["max"].as_py() < len(column.dictionary):
        raise DataError(f"{origin}: column {name!r} is damaged: it names values that are not in its dictionary")


def _storage(kind: pa.DataType) -> pa.DataType:
    """The type of the values: of a dictionary, a run-end encoded column, or a UUID, which is text."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _storage(kind.value_type)
    return pa.string() if is_uuid(kind) or _is_exact_number(kind) else kind


def _is_exact_number(kind: pa.DataType) -> bool:
    """Whether a column holds the NUMERIC of PostgreSQL, whose digits arrive as text."""
    return isinstance(kind, pa.OpaqueType) and kind.type_name == "numeric" and pa.types.is_string(kind.storage_type)


def is_uuid(kind: pa.DataType) -> bool:
    """Whether a column holds UUIDs, as DuckDB and Postgres write them."""
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid"


def _is_readable(key: str, kind: pa.DataType) -> bool:
    types = pa.types
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    is_bytes = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if is_text or is_bytes or is_number or types.is_null(kind) or types.is_binary_view(kind):
        return True
    if key == TIMESTAMP:
        return bool(types.is_timestamp(kind) or types.is_date(kind))
    return key == VALUE and bool(types.is_boolean(kind))


def _described(kind: pa.DataType) -> str:
    types = pa.types
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    names = (
        (is_list, "lists"),
        (isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.json", "JSON"),
        (types.is_struct(kind), "records"),
        (types.is_map(kind), "maps"),
        (types.is_boolean(kind), "truth values"),
        (types.is_timestamp(kind) or types.is_date(kind), "times"),
        (types.is_time(kind), "times of day"),
        (types.is_duration(kind), "durations"),
    )
    found = next((name for applies, name in names if applies), "values of another kind")
    return f"{found} (type {kind})"


def plain(key: str, column: pa.Array) -> pa.Array:
    """A column without what only its file needs: UUIDs as text, runs and dictionaries decoded.

    A dictionary of ids stays one, because ids are dictionary-coded anyway.
    """
    kind = column.type
    if pa.types.is_run_end_encoded(kind):
        return plain(key, pc.run_end_decode(column))
    if is_uuid(kind):
        return _uuid_text(column.storage)
    if isinstance(kind, pa.BaseExtensionType):
        return plain(key, column.storage)
    if pa.types.is_dictionary(kind) and (key not in _ID_KEYS or is_uuid(kind.value_type)):
        return plain(key, column.dictionary_decode())
    if pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.binary())
    return column.cast(pa.binary()) if pa.types.is_binary_view(kind) else column


def _uuid_text(column: pa.FixedSizeBinaryArray) -> pa.DictionaryArray:
    """The usual text of each UUID, 00000000-0000-0000-0000-000000000001."""
    coded = column.cast(pa.binary()).dictionary_encode()
    texts = [None if each is None else str(uuid.UUID(bytes=each)) for each in coded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(coded.indices, pa.array(texts, pa.string()))
