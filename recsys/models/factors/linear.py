"""LinearFactorModel: a user's vector is a weighted sum of vectors of the items in the history."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from recsys.data.arrays import LARGEST, Doubles, Floats, Indices, largest, read_only, save_array
from recsys.data.emphasis import emphasised
from recsys.data.loading import damage_named, load_array
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.models.factors.embeddings import Embeddings, degrees_of_items, popularity_scale
from recsys.models.factors.model_file import NAME, neighbours_setting, read_model_file, strength_in, write_model_file
from recsys.models.neighbours.weights import NeighbourWeights, with_neighbours_part

_SOURCES, _DEGREE = "sources.npy", "item_degree.npy"


@dataclass(frozen=True, eq=False)
class LinearFactorModel:
    """A FactorModel whose fold-in is linear: x_u = sum over the items i of a history of w_ui s_i.

    `sources`: float32 (n_items, d), s_i. `transform`: how the weights w_ui come from a history, a name in TRANSFORMS.
    Scores are sums over the history too, so contributions are exact: w_ui (s_i . y_j).
    `item_degree`: float32 (n_items,). Arrays are C-contiguous, finite, read-only.
    Raises ModelError if shapes or dtypes do not match, or the transform is unknown.
    """

    algorithm: str
    embeddings: Embeddings
    item_degree: Floats
    sources: Floats
    transform: str
    losses: tuple[float, ...] = ()
    neighbours: NeighbourWeights | None = None

    def __post_init__(self) -> None:
        if self.transform not in TRANSFORMS:
            raise ModelError(
                f"{self.algorithm}: transform {self.transform!r}, expected any of {', '.join(TRANSFORMS)}"
            )
        shape = self.embeddings.items.shape
        for name, expected in (("sources", shape), ("item_degree", shape[:1])):
            array = getattr(self, name)
            if array.shape != expected or array.dtype != np.float32 or not array.flags.c_contiguous:
                got = f"{array.dtype} {array.shape}"
                raise ModelError(f"{self.algorithm}: {name} {got}, expected C-contiguous float32 {expected}")
            object.__setattr__(self, name, read_only(array))
        if not largest(self.sources) <= LARGEST:
            raise ModelError(f"{self.algorithm}: sources hold NaN or infinity, or a number beyond {LARGEST:g}")

    def fold_in(self, history: Csr, emphasis: Floats | None = None) -> Floats:
        """Float32 (n, d): the weighted sum for each row of `history`, canonical float32 CSR (n, n_items).

        To the last bit, a row's result does not depend on the other rows.
        Raises ModelError if the columns are not those of training.
        """
        weights = self._weights(history, emphasis)
        summed: Floats = weights @ np.asarray(self.sources)
        return summed

    def trained_vectors(self, user_idx: Indices, history: Csr) -> Floats:
        """Float32 (n, d): the learned vectors of the users `user_idx`, int32 (n,); see `FactorModel`."""
        vectors: Floats = self.embeddings.users[user_idx]
        return vectors

    def contributions(self, history: Csr, targets: Indices, *, emphasis: Floats | None = None) -> Doubles:
        """Float64 (k, m): what each entry of `history`, a single row, adds to the scores of `targets`, int32 (k,).

        A row sums to the score of its target, up to the rounding of the float32 vector.
        Raises ModelError if `history` is not a single row.
        """
        if history.shape[0] != 1:
            raise ModelError(f"contributions: {history.shape[0]} histories, expected one")
        weights = self._weights(history, emphasis).data.astype(np.float64)
        sources = self.sources[history.indices].astype(np.float64)
        wanted = self.embeddings.items[targets].astype(np.float64)
        scale = self.embeddings.item_scale[targets].astype(np.float64)
        parts: Doubles = (wanted @ sources.T) * weights * scale[:, None]
        return with_neighbours_part(parts, self.neighbours, history, targets, emphasis=emphasis)

    def rotated(self, rotation: Floats) -> "LinearFactorModel":
        """The same model in another basis. `rotation`: float32 (d, d), orthogonal."""
        return replace(self, embeddings=self.embeddings.rotated(rotation), sources=self.sources @ rotation)

    def with_embeddings(self, embeddings: Embeddings) -> "LinearFactorModel":
        """The same model with other embeddings for the same users and items; the sources stay."""
        return replace(self, embeddings=embeddings)

    def with_neighbours(self, neighbours: NeighbourWeights | None) -> "LinearFactorModel":
        """The same vectors with these neighbours."""
        return replace(self, neighbours=neighbours)

    def save(self, folder: Path) -> None:
        """Write embeddings, sources, degrees, neighbours and model.json into `folder`, which is made if missing."""
        self.embeddings.save(folder)
        if self.neighbours is not None:
            self.neighbours.save(folder)
        save_array(self.sources, folder / _SOURCES)
        save_array(self.item_degree, folder / _DEGREE)
        write_model_file(
            folder,
            self.algorithm,
            transform=self.transform,
            losses=list(self.losses),
            **neighbours_setting(self.neighbours),
        )

    @staticmethod
    def load(folder: Path, *, users: bool = True) -> "LinearFactorModel":
        """Map what `save` wrote, `users`: see `Embeddings.load`. Raises ArtifactError if it is missing or damaged."""
        settings, embeddings = read_model_file(folder), Embeddings.load(folder, users=users)
        with damage_named(folder, f"{_SOURCES}, {_DEGREE} and {NAME}"):
            sources, degree = (load_array(folder / name) for name in (_SOURCES, _DEGREE))
            losses = tuple(map(float, settings["losses"]))
            neighbours = NeighbourWeights.load(folder, len(embeddings.items), strength_in(settings, folder))
            return LinearFactorModel(
                settings["algorithm"], embeddings, degree, sources, str(settings["transform"]), losses, neighbours
            )

    def _weights(self, history: Csr, emphasis: Floats | None) -> Csr:
        """The entries of `history` with the weights w_ui."""
        if history.shape[1] != len(self.sources):
            raise ModelError(f"fold-in: a history over {history.shape[1]} items, expected {len(self.sources)}")
        return emphasised(transformed(history, self.item_degree, transform=self.transform), emphasis)


def linear_model(
    algorithm: str,
    csr: Csr,
    *,
    sources: Floats,
    items: Floats,
    transform: str,
    popularity_exponent: float,
    users: Floats | None = None,
) -> LinearFactorModel:
    """A model of the learned `sources` and `items`, float32 (n_items, d), trained on `csr` (n_users, n_items).

    `users`: float32 (n_users, d); without them, what fold-in gives the rows of `csr`. An item or a user without
    entries gets the zero vector. `sources`, `items` and `users` are not modified.
    """
    degree = degrees_of_items(csr)
    sources, items = (_zero_rows(array, degree == 0) for array in (sources, items))
    if users is None:
        users = weighted_sum(csr, sources, degree, transform=transform)
    else:
        users = _zero_rows(users, np.diff(csr.indptr) == 0)
    embeddings = Embeddings(users, items, popularity_scale(degree, popularity_exponent))
    return LinearFactorModel(algorithm, embeddings, degree, sources, transform)


def weighted_sum(history: Csr, sources: Floats, item_degree: Floats, *, transform: str) -> Floats:
    """Float32 (n, d): for each row of `history` the sum of `sources`, (n_items, d), by the weights of `transform`.

    scipy sums row by row in the order of the columns, so a row's result does not depend on the other rows.
    """
    summed: Floats = transformed(history, item_degree, transform=transform) @ np.asarray(sources)
    return summed


def transformed(history: Csr, item_degree: Floats, *, transform: str) -> Csr:
    """The entries of `history` with the weights of `transform`; the result shares the index arrays."""
    weights = TRANSFORMS[transform](history, item_degree)
    return Csr((weights, history.indices, history.indptr), shape=history.shape)


def _presence(history: Csr, item_degree: Floats) -> Floats:
    """float32 (nnz,): 1 for every entry; the weights are ignored."""
    return np.ones(history.nnz, np.float32)


def _mean(history: Csr, item_degree: Floats) -> Floats:
    """float32 (nnz,): 1 / m for the m entries of a row whose item was used in training; 0 for the others."""
    trained = item_degree[history.indices] > 0
    before = np.concatenate([[0], np.cumsum(trained)])
    n_trained = before[history.indptr[1:]] - before[history.indptr[:-1]]
    weights: Floats = (trained / np.repeat(np.maximum(n_trained, 1), np.diff(history.indptr))).astype(np.float32)
    return weights


def _log(history: Csr, item_degree: Floats) -> Floats:
    """float32 (nnz,): log(1 + r_ui)."""
    weights: Floats = np.log1p(history.data)
    return weights


TRANSFORMS: Mapping[str, Callable[[Csr, Floats], Floats]] = MappingProxyType(
    {"presence": _presence, "mean": _mean, "log": _log}
)
"""From a history and the degrees of the items to the weight of each stored entry, by name."""


def _zero_rows(vectors: Floats, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    """`vectors`, C-contiguous float32, with zeros in the rows that are marked; copied only if there are any."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    if not vectors[rows].any():
        return vectors
    cleared = vectors.copy()
    cleared[rows] = 0
    return cleared
