"""Values: what is a number above zero, and the reason for everything else."""

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.ingest.refusals import NO_FAULT, REASONS, Reason
from recsys.data.ingest.row_checks import read_values


def read(column: pa.Array, *, net: bool = False) -> list[float | Reason]:
    values, faults = read_values(column, net=net)
    assert values.dtype == np.float32
    struck = np.full(len(values), NO_FAULT) if faults is None else faults
    return [
        float(value) if number == NO_FAULT else REASONS[number] for value, number in zip(values, struck, strict=True)
    ]


TEXTS = {
    "2.5": 2.5,
    "3": 3.0,
    " 4 ": 4.0,
    "": Reason.MISSING_VALUE,
    "many": Reason.BAD_VALUE,
    "1,5": Reason.BAD_VALUE,
    "nan": Reason.NON_FINITE_VALUE,
    "inf": Reason.NON_FINITE_VALUE,
    "1e39": Reason.NON_FINITE_VALUE,
    "0": Reason.NON_POSITIVE_VALUE,
    "1e-60": Reason.NON_POSITIVE_VALUE,
    "-1": Reason.NON_POSITIVE_VALUE,
}


def test_texts_alone_and_together() -> None:
    assert read(pa.array(list(TEXTS))) == list(TEXTS.values())
    assert [read(pa.array([text]))[0] for text in TEXTS] == list(TEXTS.values())


def test_net_takes_what_is_below_zero_but_not_zero() -> None:
    assert read(pa.array(["-1", "0", "-0.0", "2"]), net=True) == [
        -1.0, Reason.NON_POSITIVE_VALUE, Reason.NON_POSITIVE_VALUE, 2.0,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(25, 1)])
def test_numbers_of_every_type(kind: pa.DataType) -> None:
    assert read(pa.array([5, None]).cast(kind)) == [5.0, Reason.MISSING_VALUE]


def test_what_is_no_number() -> None:
    assert read(pa.array([True, False])) == [1.0, Reason.NON_POSITIVE_VALUE]
    assert read(pa.array([[1.0]])) == [Reason.BAD_VALUE]
