"""Codes alone: what a family of inverted files finds if a query looks into all cells, known without any cells."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.progress import silent
from recsys.retrieval.families.faiss_structures import (
    Native,
    add_all,
    longest,
    mips_to_l2,
    padded,
    padded_factors,
    threads_of_faiss,
    to_bytes,
)


@dataclass(frozen=True, eq=False)
class Codes:
    """A faiss index of the codes of all item vectors, which are all looked at."""

    native: Native

    def propose(self, queries: Floats, probes: int, count: int) -> NDArray[np.int64]:
        """The `count` best by their codes, whatever `probes` is; see `Structure.propose`."""
        with threads_of_faiss(1):
            _, found = self.native.search(padded(queries), count)
        positions: NDArray[np.int64] = found
        return positions

    def to_bytes(self) -> memoryview:
        """The bytes of a faiss file."""
        return to_bytes(self.native)


def codes_of(make: Callable[[int], Native], vectors: Floats, learned_from: NDArray[np.int64]) -> Codes:
    """The codes of item vectors, float32 (n_items, d), learned from those at the positions `learned_from`.

    `make`: from the dimension of augmented vectors to an empty faiss index of codes.
    """
    radius = longest(vectors) or 1.0
    codes = make(padded_factors(vectors.shape[1]))
    with threads_of_faiss(1):
        codes.train(mips_to_l2(vectors[learned_from], radius))
        add_all(codes, vectors, radius, name="codes", progress=silent)
    return Codes(codes)
