"""Dictionary coding by compiled loops gives what Arrow gives, whatever the texts are."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.distinct_texts import DictionaryCoding
from recsys.data.distinct_texts_kernels import number_hashes

FACTOR, BITS = 0x9E3779B97F4A7C15, 2**64
coded = DictionaryCoding(rows_before=0, shortest=1)


def column(texts: list[bytes]) -> pa.BinaryArray:
    return pa.array(texts, pa.binary())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.binary(max_size=20) | st.sampled_from([b"", b"\0", b"\0\0", b"12345678", b"123456789"]), min_size=1)
)
def test_it_codes_any_texts_as_arrow_does(texts: list[bytes]) -> None:
    expected = column(texts).dictionary_encode()
    assert coded(column(texts)).equals(expected)
    part = column([b"before", *texts, *texts, b"after"])[1:-1]
    assert coded(part).equals(part.dictionary_encode())


def test_it_codes_more_texts_than_the_first_table_holds() -> None:
    rng = np.random.default_rng(1)
    texts = column([b"id-%d" % number for number in rng.integers(0, 80_000, 200_000)])
    found = coded(texts)
    assert len(found.dictionary) > 2**16
    assert found.equals(texts.dictionary_encode())


def mixed(value: int) -> int:
    return value ^ value >> 32


def with_hashes(wanted: list[int]) -> list[bytes]:
    """Texts of 16 bytes, the first eight of which are different, that have these hashes."""
    inverse, texts = pow(FACTOR, -1, BITS), []
    for first, value in enumerate(wanted):
        before = mixed((16 * FACTOR % BITS ^ first) * FACTOR % BITS)
        second = mixed(value) * inverse % BITS ^ before
        texts.append(first.to_bytes(8, "little") + second.to_bytes(8, "little"))
    return texts


def test_texts_with_equal_hashes_stay_apart() -> None:
    texts = column([*with_hashes([7, 7]), b"other"])
    assert coded(texts).equals(texts.dictionary_encode())
    assert len(coded(texts).dictionary) == 3


def test_hashes_that_meet_in_one_slot_end_the_loop_and_not_the_log() -> None:
    inverse = pow(FACTOR, -1, BITS)
    hashes = [number * inverse % BITS for number in range(3_000)]  # all in the first slot
    numbers, firsts = np.empty(3_000, np.int32), np.empty(3_000, np.int32)
    assert number_hashes(np.array(hashes, np.uint64), numbers, firsts) == -1
    texts = column(with_hashes(hashes))
    assert coded(texts).equals(texts.dictionary_encode())


@pytest.mark.parametrize(
    "values",
    [pa.array(["a", None, "a"], pa.binary()), pa.array(["a", "b"]), pa.array([1, 1, 2]), pa.array([], pa.binary())],
    ids=["null", "string", "int", "empty"],
)
def test_other_columns_are_left_to_arrow(values: pa.Array) -> None:
    assert coded(values).equals(values.dictionary_encode())


def test_the_first_rows_of_a_process_are_coded_by_arrow() -> None:
    texts, later = column([b"b", b"a", b"b"]), DictionaryCoding(rows_before=3, shortest=1)
    assert later(texts).equals(later(texts))
