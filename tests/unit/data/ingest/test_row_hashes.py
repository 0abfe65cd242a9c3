"""A fingerprint that does not depend on the order of rows, and on nothing else than their values."""

import random
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from recsys.data.ingest.row_hashes import RowHashes, hash_rows

ROWS = [(f"u{number % 5}", number % 3, None if number % 7 == 0 else 0.5 * number) for number in range(60)]


def digest(rows: Sequence[tuple[object, ...]], *, parts: int = 1) -> str:
    hashes = RowHashes()
    for part in range(parts):
        columns = [pa.array(column) for column in zip(*rows[part::parts], strict=True)]
        hashes.add(pa.RecordBatch.from_arrays(columns, names=["a", "b", "c"]))
    return hashes.digest()


def test_order_and_batches_do_not_matter() -> None:
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    assert digest(ROWS) == digest(shuffled) == digest(shuffled, parts=4)


@pytest.mark.parametrize(
    "other",
    [
        ROWS[:-1],
        [*ROWS, ROWS[0]],
        [*ROWS[:-1], ROWS[0]],
        [*ROWS[:-1], ("u9", *ROWS[-1][1:])],
        [*ROWS[:-1], (*ROWS[-1][:2], None)],
        [(ROWS[0][0], *ROWS[1][1:]), (ROWS[1][0], *ROWS[0][1:]), *ROWS[2:]],
    ],
    ids=[
        "a row less",
        "a row twice",
        "a row instead of another",
        "another id",
        "a null",
        "values of two rows swapped",
    ],
)
def test_any_change_shows(other: list[tuple[object, ...]]) -> None:
    assert digest(other) != digest(ROWS)


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b", "", None],
        [b"a", b"b", b"", None],
        [1, 2, 0, None],
        [1.5, 2.5, 0.0, None],
        [True, False, None],
        [datetime(2024, 1, 1), datetime(2024, 1, 2), None],
        [datetime(2024, 1, 1).date(), None],
        [Decimal("1.5"), Decimal("2.5"), None],
        [["a"], ["a", "b"], [], None],
        [{"a": 1}, {"a": 2}, None],
    ],
    ids=lambda values: type(values[0]).__name__,
)
def test_values_of_every_type_differ(values: list[object]) -> None:
    column = pa.array(values)
    hashes = hash_rows(pa.RecordBatch.from_arrays([column], names=["a"]))
    assert len(set(hashes.tolist())) == len(values)
    if pa.types.is_string(column.type):
        coded = pa.RecordBatch.from_arrays([column.dictionary_encode()], names=["a"])
        assert hash_rows(coded).tolist() == hashes.tolist()


def test_it_is_complete_when_all_rows_that_were_read_are_in_it() -> None:
    hashes = RowHashes()
    assert not hashes.complete
    hashes.add(pa.RecordBatch.from_pydict({"a": ["x", "y"]}))
    assert not hashes.complete
    hashes.n_read = 2
    assert hashes.complete
