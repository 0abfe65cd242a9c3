"""A direction for every text: random signs that follow from its hash, the same on every machine."""

import hashlib
from collections.abc import Sequence

import numpy as np

from recsys.data.arrays import Floats

_BYTES_AT_ONCE = 64  # the most that BLAKE2b gives


def directions(texts: Sequence[str], dimension: int) -> Floats:
    """Float32 (n, dimension), of length one: two different texts have a cosine of 0 +- 1 / sqrt(dimension).

    `dimension`: a multiple of 8.
    """
    n_bytes = dimension // 8
    hashed = b"".join(_hashed(text.encode(), n_bytes) for text in texts)
    bits = np.unpackbits(np.frombuffer(hashed, np.uint8)).reshape(len(texts), dimension)
    return (bits.astype(np.float32) * 2 - 1) / np.float32(dimension**0.5)


def _hashed(text: bytes, n_bytes: int) -> bytes:
    blocks = range(0, n_bytes, _BYTES_AT_ONCE)
    salted = (
        hashlib.blake2b(text, digest_size=min(n_bytes, _BYTES_AT_ONCE), salt=at.to_bytes(8, "big")) for at in blocks
    )
    return b"".join(each.digest() for each in salted)[:n_bytes]
