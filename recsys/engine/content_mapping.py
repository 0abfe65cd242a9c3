"""ContentMapping: learned vectors of items that a version does not have, as its night made those of new items."""

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import Manifest
from recsys.content.cold_start.columns import ContentColumns
from recsys.content.cold_start.completion import mapped
from recsys.content.cold_start.mapping import Ridge, fit_ridge, neighbour_mean
from recsys.content.cold_start.nearest import ContentNeighbours, vectors_of_space
from recsys.content.cold_start.settings import ColdStartSettings
from recsys.data.arrays import Floats, read_only
from recsys.data.matrix import Csr, csr_from_pairs, empty_csr
from recsys.engine.comparison import Comparison, needs_content
from recsys.engine.ranking import storing

RARE_EVENTS, PSEUDO_USERS = 10.0, 5.0
"""Of `[cold_start]`, for versions that do not say."""


class ContentMapping:
    """The way from content to learned vectors that the night chose; see `recsys.content.cold_start.completion`.

    Threads may share it.
    """

    def __init__(self, bundle: Bundle, comparison: Comparison) -> None:
        self._bundle, self._search = bundle, comparison.search
        self._settings = bundle.manifest.cold_start or ColdStartSettings()
        degree, embeddings = bundle.model.item_degree, bundle.model.embeddings
        known = np.asarray(embeddings.items.any(axis=1))
        is_warm = known & (degree > _number(bundle.manifest, "rare_events", RARE_EVENTS))
        if not is_warm.any():
            is_warm = known & (degree > 0)
        self._warm = np.flatnonzero(is_warm).astype(np.int32)
        self._others = np.flatnonzero(~is_warm).astype(np.int32)
        users = _number(bundle.manifest, "pseudo_users", PSEUDO_USERS)
        like = np.where(known & (degree > 0), np.abs(degree - users), np.inf)
        self._scale = embeddings.item_scale[int(like.argmin())]  # of an item with about as many users

    def made_of(self, content: Floats) -> tuple[Floats, Csr]:
        """Float32 (1, d), what lists score; float32 CSR (1, n_items), what each item of a history adds to the score.

        `content`: float32 (1, sum of d), of `ContentSpace.encode`. All are zero if nothing is near.
        """
        settings, n_items = self._settings, len(self._bundle.items.ids)
        exclude = storing([self._others], n_items)
        found = self._search.search(content, settings.neighbours, exclude=exclude)
        cosines = np.where(found.filled, np.clip(found.scores, 0, 1), 0).astype(np.float32)
        nearest = ContentNeighbours(np.where(found.filled, found.indices, 0).astype(np.int32), cosines)
        means = nearest.means(settings.neighbours, settings.power, n_items)
        mean = neighbour_mean(means, self._bundle.model.embeddings.items, full_length=settings.full_length)
        vector = mapped(settings, mean, lambda: (content @ self._ridge.coefficients).astype(np.float32))
        if not means.nnz:
            vector = np.zeros_like(vector)
        return read_only(np.ascontiguousarray(vector * self._scale, dtype=np.float32)), self._added_by(means)

    def _added_by(self, means: Csr) -> Csr:
        if self._columns is None or not means.nnz:
            return empty_csr(means.shape)
        made, columns, strength = self._columns
        items, place, weights = made.entries(columns, means, np.ones(1, np.float32))
        return csr_from_pairs(place, items.astype(np.int32), weights.astype(np.float32) * strength, means.shape)

    @cached_property
    def _columns(self) -> tuple[ContentColumns, sp.csc_matrix, np.float32] | None:
        """What the night made the columns of new items with: those of items that had users."""
        if (neighbours := self._bundle.model.neighbours) is None:
            return None
        columns = neighbours.weights.tocsc()
        with_users = columns[:, self._bundle.model.item_degree > 0].tocsr()
        made = ContentColumns.of(with_users, own_weight=self._settings.own_weight, local=self._settings.local)
        return made, columns, np.float32(neighbours.strength)

    @cached_property
    def _ridge(self) -> Ridge:
        """Fitted again when it is first needed, from the vectors that the version has."""
        model, space = self._bundle.model, needs_content(self._bundle.content)
        known = np.logical_or.reduce([source.vectors[self._warm].any(axis=1) for source in space.sources])
        warm = self._warm[known]
        return fit_ridge(
            vectors_of_space(space), warm, model.embeddings.items, model.item_degree, strength=self._settings.ridge
        )


def _number(manifest: Manifest, key: str, default: float) -> float:
    """A number of `[cold_start]` in the version's configuration."""
    told = manifest.config.get("cold_start")
    value = told.get(key) if isinstance(told, dict) else None
    return float(value) if isinstance(value, int | float) and value >= 0 else default
