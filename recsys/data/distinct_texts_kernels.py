"""The compiled loops of `distinct_texts`: hashes of texts, a number per distinct hash, and the comparison of texts.

Imported late, see `recsys.compiled`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numpy.typing import NDArray

from recsys.compiled import compiled
from recsys.data.arrays import Indices

Hashes = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HALF, _BITS, _ALL = np.uint64(32), np.uint64(64), np.uint64(0xFFFFFFFFFFFFFFFF)
_NONE, _ONE, _EIGHT = np.uint64(0), np.uint64(1), np.uint64(8)
_FIRST_SLOTS, _FIRST_BITS = 2**16, np.uint64(16)
_FEW_PROBES, _PROBES_PER_TEXT = 2**16, 16
"""A table of good hashes needs fewer than two looks per text; many more are an attack on the hash."""


@compiled
def _eight(data, at):
    """uint64: eight bytes of `data` as a number. The compiler makes this one load."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + np.uint64(1)]) << np.uint64(8)
        | np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
        | np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
        | np.uint64(data[at + np.uint64(4)]) << np.uint64(32)
        | np.uint64(data[at + np.uint64(5)]) << np.uint64(40)
        | np.uint64(data[at + np.uint64(6)]) << np.uint64(48)
        | np.uint64(data[at + np.uint64(7)]) << np.uint64(56)
    )


@compiled
def _up_to_seven(data, at, n):
    """uint64: the `n` bytes of `data` from `at` on, 1 to 7, as a number."""
    if at + np.uint64(8) <= np.uint64(len(data)):
        return _eight(data, at) & (_ALL >> (_BITS - np.uint64(8) * n))
    word = np.uint64(0)
    for j in range(n):
        word |= np.uint64(data[at + j]) << np.uint64(8) * j
    return word


@compiled
def hash_texts(offsets: Indices, data: Bytes, hashes: Hashes) -> None:
    """Write a hash of each text into `hashes`, uint64 (n,). Text j is `data`[`offsets`[j] : `offsets`[j + 1]]."""
    for row in range(len(hashes)):
        at, left = np.uint64(offsets[row]), np.uint64(offsets[row + 1] - offsets[row])
        value = left * _FACTOR
        while left >= _EIGHT:
            value = (value ^ _eight(data, at)) * _FACTOR
            value ^= value >> _HALF
            at, left = at + _EIGHT, left - _EIGHT
        if left > _NONE:
            value = (value ^ _up_to_seven(data, at, left)) * _FACTOR
            value ^= value >> _HALF
        hashes[row] = value


@compiled
def number_hashes(hashes: Hashes, numbers: Indices, firsts: Indices) -> int:
    """Number the distinct `hashes`, uint64 (n,), in the order in which they first occur; returns how many there are.

    `numbers`: int32 (n,), gets the number of each. `firsts`: int32 (n,), gets the place where each number first
    occurs. Returns -1 if so many collide that this would take too long.
    """
    # A hash, and its number from 1 on, side by side: one line of the cache. No place is signed, which saves a test.
    table, shift, n = np.zeros((_FIRST_SLOTS, 2), np.uint64), _BITS - _FIRST_BITS, 0
    last, probes = np.uint64(_FIRST_SLOTS - 1), _FEW_PROBES + _PROBES_PER_TEXT * len(hashes)
    for row in range(len(hashes)):
        value = hashes[row]
        at = (value * _FACTOR) >> shift
        while table[at, 1] != _NONE and table[at, 0] != value:
            at = (at + _ONE) & last
            probes -= 1
        if probes < 0:
            return -1
        if table[at, 1] == _NONE:
            firsts[n] = row
            n += 1
            table[at, 0], table[at, 1] = value, np.uint64(n)
            if 2 * n > len(table):
                last, shift = last + last + _ONE, shift - _ONE
                table = _spread(table, last, shift)
            numbers[row] = n - 1
        else:
            numbers[row] = np.int32(table[at, 1]) - np.int32(1)
    return n


@compiled
def _spread(table, last, shift):
    """The same hashes and numbers in a table of which `last` is the last slot."""
    larger = np.zeros((np.int64(last) + 1, 2), np.uint64)
    for j in range(len(table)):
        if table[j, 1] != _NONE:
            at = (table[j, 0] * _FACTOR) >> shift
            while larger[at, 1] != _NONE:
                at = (at + _ONE) & last
            larger[at, 0], larger[at, 1] = table[j, 0], table[j, 1]
    return larger


@compiled
def are_texts(offsets: Indices, data: Bytes, numbers: Indices, names_at: Indices, names: Bytes) -> bool:
    """Whether each text is the one of its number. `names_at`, `names`: offsets and data of the distinct texts."""
    for row in range(len(numbers)):
        at, left = np.uint64(offsets[row]), np.uint64(offsets[row + 1] - offsets[row])
        number = np.uint64(numbers[row])
        name = np.uint64(names_at[number])
        if np.uint64(names_at[number + np.uint64(1)]) - name != left:
            return False
        while left >= _EIGHT:
            if _eight(data, at) != _eight(names, name):
                return False
            at, name, left = at + _EIGHT, name + _EIGHT, left - _EIGHT
        if left > _NONE and _up_to_seven(data, at, left) != _up_to_seven(names, name, left):
            return False
    return True
