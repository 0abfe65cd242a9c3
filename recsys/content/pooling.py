"""Vectors of texts as weighted sums of the vectors of their words or tokens."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.content.encoder import Problems
from recsys.data.arrays import Floats


def summed(words: Sequence[Sequence[int]], vectors: NDArray[np.floating], *, weights: Floats | None = None) -> Floats:
    """Float32 (n, d): for each list of positions in `vectors`, the weighted sum of these rows; zeros for none.

    `vectors`: float16 or float32 (n_words, d). `weights`: float32 (n_words,); ones by default.
    To the last bit, a row does not depend on the other lists.
    """
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    at = np.fromiter(chain.from_iterable(words), np.int64, int(lengths.sum()))
    used, column = np.unique(at, return_inverse=True)
    data = np.ones(len(at), np.float32) if weights is None else weights[at]
    counts = sp.csr_matrix((data, column, np.append(0, np.cumsum(lengths))), shape=(len(words), len(used)))
    return np.ascontiguousarray(counts @ vectors[used].astype(np.float32))


def text_problems(vectors: Floats, texts: pa.StringArray, *, unknown: str = "no known word") -> Problems:
    """The rows of `vectors`, (n, d), that are zero: counted as "no text", or as `unknown` if there is a text."""
    problems = Problems()
    missing = pa.array(~vectors.any(axis=1))
    empty = pc.equal(texts, "")
    for reason, rows in (("no text", pc.and_(missing, empty)), (unknown, pc.and_not(missing, empty))):
        if n_items := pc.sum(rows).as_py():
            problems.add(reason, repr(pc.filter(texts, rows)[0].as_py()[:80]), n_items=n_items)
    return problems
