"""The spectral start of ALS on blocks: the randomised subspace iteration of `recsys.models.factors.spectral`.

A product is written times the inverse root of its row's sum, so that the other side's product needs no sums of its
columns; its Gram matrix is that of the product itself. What makes the columns orthonormal is a turn of them, which
whoever reads them next applies.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.arrays import Floats, read_only
from recsys.models.factors.als_solver.rotation import gram_of
from recsys.models.factors.spectral import OVERSAMPLING, PASSES, inverse_root, logarithm, singular_of
from recsys.progress import Progress
from recsys.spark.block_work import Others
from recsys.spark.row_blocks import RowBlock
from recsys.spark.sides import Facts, Side, log_sums_of_rows
from recsys.spark.stored_vectors import StoredVectors, vectors_batch, with_gram, write_blocks, write_whole


@dataclass(frozen=True, eq=False)
class Start:
    """What a fit on blocks starts from."""

    users: StoredVectors
    items: StoredVectors


def spectral_start_on_blocks(
    users: Side, items: Side, facts: tuple[Facts, Facts], factors: int, *, seed: int, folder: Path, progress: Progress
) -> Start:
    """The vectors of `spectral_start` with the same seed, up to the order of sums, in `folder`.

    `facts`: of users and of items.
    """
    of_items = facts[1]
    rng, width = np.random.default_rng(seed), _width(users, factors)
    drawn = rng.standard_normal((items.blocks.shape.n_rows, width), dtype=np.float32)
    drawn *= inverse_root(of_items.log_sums)[:, None]
    right = Others(write_whole(drawn, of_items.bounds, folder / "drawn"))
    del drawn
    for done in range(PASSES):
        left = _orthonormal(users.write(_Product(right.width), right, folder / f"left-{done}", right.width))
        right = _orthonormal(items.write(_Product(left.width), left, folder / f"right-{done}", left.width))
        progress("spectral start", done + 1, PASSES + 1)
    product = users.write(_Product(right.width), right, folder / "left", right.width)
    scale, rotation = (found[..., :factors] for found in singular_of(product.gram()))
    missing = factors - len(scale)
    noise = [
        _noise(rng, each.bounds, missing, folder / f"noise-{name}")
        for each, name in zip(facts, ("users", "items"), strict=True)
    ]
    turned = _Turned(product, rotation / scale * np.sqrt(scale), noise[0])
    started = users.write_alone(turned, folder / "users", factors)
    made = _Product(len(scale), (1 / np.sqrt(scale)).astype(np.float32), noise[1])
    found = items.write(made, Others(product, rotation / scale), folder / "items", factors)
    progress("spectral start", PASSES + 1, PASSES + 1)
    return Start(started, found)


def random_start(facts: tuple[Facts, Facts], factors: int, *, seed: int, folder: Path) -> Start:
    """The random vectors that the local solver draws from the same seed, in `folder`.

    They pass through the driver block by block.
    """
    rng = np.random.default_rng(seed)

    def drawn(bounds: NDArray[np.int64], name: str) -> StoredVectors:
        blocks = (
            (number, start, rng.random((stop - start, factors), dtype=np.float32) * np.float32(0.01))
            for number, (start, stop) in enumerate(pairwise(bounds.tolist()))
        )
        return write_blocks(blocks, folder / name, factors, gram=True)

    return Start(*(drawn(each.bounds, name) for each, name in zip(facts, ("users", "items"), strict=True)))


def _width(users: Side, factors: int) -> int:
    return min(factors + OVERSAMPLING, users.blocks.shape.n_rows, users.blocks.shape.n_columns)


def _noise(rng: np.random.Generator, bounds: NDArray[np.int64], missing: int, folder: Path) -> StoredVectors | None:
    """Small random columns for dimensions that the matrix does not have, drawn as `spectral_start` draws them.

    They pass through the driver block by block, because each is drawn after the one before; only a small matrix
    needs them.
    """
    if missing == 0:
        return None
    blocks = (
        (number, start, rng.standard_normal((stop - start, missing), dtype=np.float32) * np.float32(0.01))
        for number, (start, stop) in enumerate(pairwise(bounds.tolist()))
    )
    return write_blocks(blocks, folder, missing)


def _orthonormal(product: StoredVectors) -> Others:
    """The columns turned into an orthonormal basis of their span."""
    scale, rotation = singular_of(product.gram())
    return Others(product, rotation / scale)


@dataclass(frozen=True, eq=False)
class _Product:
    """A block of log(1 + R), or of its transpose, times vectors.

    With `scale`, float32 (r,), it is what a fit starts from: times that, and times the root of the row's sum, with
    the `noise` beside it.
    """

    width: int
    scale: Floats | None = None
    noise: StoredVectors | None = None

    def __call__(self, block: RowBlock, others: Floats) -> pa.RecordBatch:
        from recsys.models.factors.als_solver.blocks import entries_of
        from recsys.models.factors.sparse_product import multiply

        sums = log_sums_of_rows(block)
        product = np.empty((block.rows.shape[0], self.width), np.float32)
        multiply(entries_of(logarithm(block.rows)), read_only(others), 0, self.width, product)
        root = inverse_root(sums)[:, None]
        if self.scale is None:
            product *= root
            gram = gram_of(product, threads=1)
            product *= root
            return vectors_batch(block.number, block.first, product, gram)
        product *= self.scale
        product *= root * np.sqrt(sums)[:, None]
        return with_gram(block.number, block.first, _beside(product, self.noise, block.number))


@dataclass(frozen=True, eq=False)
class _Turned:
    """The users that a fit starts from: their product, turned, times the root of the row's sum twice.

    Once to undo the inverse root that the product was written with.
    """

    product: StoredVectors
    turn: Floats
    noise: StoredVectors | None

    def __call__(self, block: RowBlock) -> pa.RecordBatch:
        vectors: Floats = self.product.of_block(block.number) @ self.turn
        vectors *= log_sums_of_rows(block)[:, None]
        return with_gram(block.number, block.first, _beside(vectors, self.noise, block.number))


def _beside(vectors: Floats, noise: StoredVectors | None, number: int) -> Floats:
    if noise is None:
        return vectors
    return np.ascontiguousarray(np.hstack([vectors, noise.of_block(number)]), np.float32)
