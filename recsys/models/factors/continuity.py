"""Continuity: tonight's fit starts from the vectors of an earlier one, or is rotated into its space."""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats, Indices
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.errors import ModelError
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.model import FactorModel
from recsys.retrieval.exact import ExactSearch, normalised


@dataclass(frozen=True, eq=False)
class EarlierEmbeddings:
    """The vectors of an earlier fit, and the ids of their rows."""

    users: IdMap
    items: IdMap
    embeddings: Embeddings


def carried_over(earlier: EarlierEmbeddings, matrix: InteractionMatrix) -> Embeddings:
    """A start for a fit on `matrix`: the earlier vector of every id that has one, zero for new ids.

    An item without entries in `matrix` starts at zero too: its earlier vector, made from its content, would count as
    not chosen. A fit solves users first: a new user's row comes from the known items, and then a new item's row from
    its users.
    A user of new items only keeps the zero vector until the next cold fit.
    """
    return Embeddings(
        _carried(earlier.users, matrix.users, earlier.embeddings.users),
        carried_items(earlier, matrix.items, matrix.item_degree),
        np.ones(matrix.n_items, np.float32),
    )


def carried_items(earlier: EarlierEmbeddings, items: IdMap, degree: Indices) -> Floats:
    """float32 (n_items, d): the items of `carried_over`. `degree`: int32 (n_items,), users of each of `items`."""
    vectors = _carried(earlier.items, items, earlier.embeddings.items)
    vectors[degree == 0] = 0
    return vectors


def carried_rows(earlier: EarlierEmbeddings, users: IdMap, rows: slice) -> Floats:
    """float32 (n, d): some rows of the users of `carried_over`, without the others."""
    some = IdMap(users.ids.slice(rows.start, rows.stop - rows.start))
    return _carried(earlier.users, some, earlier.embeddings.users)


def _carried(earlier: IdMap, now: IdMap, vectors: Floats) -> Floats:
    before, after = shared_rows(earlier, now)
    carried = np.zeros((len(now), vectors.shape[1]), np.float32)
    carried[after] = vectors[before]
    return carried


def shared_rows(earlier: IdMap, now: IdMap) -> tuple[Indices, Indices]:
    """The positions of the ids that are in both maps: int32 (n,) in `earlier`, and int32 (n,) in `now`, ascending."""
    positions, known = earlier.encode(now.ids)
    return positions, np.flatnonzero(known).astype(np.int32)


def share_of_entries(earlier: IdMap, matrix: InteractionMatrix) -> float:
    """The share of the entries of `matrix` whose item is in `earlier`."""
    known = np.zeros(matrix.n_items, np.bool_)
    known[shared_rows(earlier, matrix.items)[1]] = True
    return float(known[matrix.csr.indices].mean())


def aligned(model: FactorModel, items: IdMap, earlier: EarlierEmbeddings) -> FactorModel:
    """`model` rotated so that the vectors of `items` are as close to the earlier ones as a rotation can bring them.

    Inner products, and with them all lists, scores, cosines and fold-ins, do not change. The rotation R is the
    orthogonal matrix that maximises the mean cosine over the shared items: R = U V' of the singular value
    decomposition of A'B, rows of A (now) and B (earlier) at length one; Schoenemann, "A Generalized Solution of the
    Orthogonal Procrustes Problem" (1966). The result is the same to the bit for any number of threads.
    Raises ModelError if the two differ in dimension.
    """
    with threadpool_limits(1, "blas"):  # the order of sums, and so the last bits, would depend on the threads
        return model.rotated(rotation_to(model.embeddings.items, items, earlier))


def rotation_to(vectors: Floats, items: IdMap, earlier: EarlierEmbeddings) -> Floats:
    """float32 (d, d): the rotation of `aligned`. `vectors`: float32 (n_items, d), of `items`."""
    then = earlier.embeddings
    if vectors.shape[1] != then.factors:
        raise ModelError(f"alignment: {vectors.shape[1]} dimensions now, {then.factors} before")
    before, after = shared_rows(earlier.items, items)
    with threadpool_limits(1, "blas"):
        left, _, right = np.linalg.svd(
            (normalised(vectors[after]).T @ normalised(then.items[before])).astype(np.float64)
        )
    rotation: Floats = (left @ right).astype(np.float32)
    return rotation


def mean_item_cosine(embeddings: Embeddings, items: IdMap, earlier: EarlierEmbeddings) -> float | None:
    """The mean cosine between an item's vector now and its earlier one; None if no item has both.

    Over the items of both fits whose vectors are not zero in either.
    """
    before, after = shared_rows(earlier.items, items)
    now, then = embeddings.items[after], earlier.embeddings.items[before]
    nonzero = now.any(axis=1) & then.any(axis=1)
    if not nonzero.any():
        return None
    cosines = np.einsum("nd,nd->n", normalised(now[nonzero]), normalised(then[nonzero]))
    return float(cosines.mean(dtype=np.float64))


def training_recall(embeddings: Embeddings, csr: Csr, *, k: int = 20, users: int = 300) -> float:
    """How well the vectors reproduce their training data: it finds broken vectors, and does not measure quality.

    Mean over about `users` evenly spaced users of recall@k = hits / min(k, |items|), their own items relevant and
    nothing excluded. `csr`: (n_users, n_items), the training matrix. Users without entries are left out; NaN if all
    are.
    """
    active = np.flatnonzero(np.diff(csr.indptr))
    rows = active[:: max(1, len(active) // users)]
    k = min(k, csr.shape[1])
    found = ExactSearch(embeddings.scoring_items).search(embeddings.users[rows], k).indices
    own = csr[rows]
    hits = np.asarray((own[np.arange(len(rows))[:, None], found] > 0).sum(axis=1)).ravel()
    return float((hits / np.minimum(k, np.diff(own.indptr))).mean()) if len(rows) else float("nan")
