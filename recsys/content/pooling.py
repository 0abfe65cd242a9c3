"""Vectors of texts as weighted sums of the vectors of their words or tokens."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.content.encoder import Problems
from recsys.data.arrays import Bools, Floats
from recsys.data.id_map import IdMap


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


def text_problems(vectors: Floats, texts: pa.StringArray, ids: IdMap, *, known: Bools | None = None) -> Problems:
    """The rows of `vectors`, (n, d), that are zero, by reason, with the first item. `texts`, `ids`: of the n items.

    A reason is "no text", "no known word" or, for those that `known`, bool (n,), marks, "nothing beside the common
    part".
    """
    missing, empty = ~vectors.any(axis=1), np.asarray(pc.equal(texts, ""))
    met = np.zeros(len(texts), bool) if known is None else known
    problems = Problems()
    for reason, rows in (
        ("no text", missing & empty),
        ("no known word", missing & ~empty & ~met),
        ("nothing beside the common part", missing & ~empty & met),
    ):
        if rows.any():
            first = int(rows.argmax())
            text = texts[first].as_py()[:80]
            named = f"item {ids.id_at(first)!r}"
            problems.add(reason, f"{named}: {text!r}" if text else named, n_items=int(rows.sum()))
    return problems
