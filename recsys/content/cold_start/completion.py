"""Completion: between the fit and the index, content makes the vectors of new items, and helps rare ones."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys.content.cold_start.columns import with_content_columns
from recsys.content.cold_start.config import ColdStartConfig
from recsys.content.cold_start.mapping import as_long_as, fit_ridge, neighbour_mean, summed
from recsys.content.cold_start.nearest import nearest_by_content, vectors_of_space
from recsys.content.cold_start.prior import Pull
from recsys.content.cold_start.settings import ColdStartSettings
from recsys.content.space import ContentSpace
from recsys.data.arrays import Bools, Floats, Indices
from recsys.data.matrix import Csr
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.model import FactorModel
from recsys.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class ItemGroups:
    """Int32, ascending: `warm` items, whose vectors others are made from; `rare` items; `new` items, without events.

    All have known content. Rare items have up to `rare_events` users, warm ones more.
    """

    warm: Indices
    rare: Indices
    new: Indices

    @staticmethod
    def of(model: FactorModel, space: ContentSpace, rare_events: int) -> "ItemGroups":
        """The groups of the items of `model` and `space`, which are over the same items."""
        degree, known = model.item_degree, known_items(space)
        learned = known & model.embeddings.items.any(axis=1)
        return ItemGroups(
            warm=np.flatnonzero(learned & (degree > rare_events)).astype(np.int32),
            rare=np.flatnonzero(learned & (degree > 0) & (degree <= rare_events)).astype(np.int32),
            new=np.flatnonzero(known & (degree == 0)).astype(np.int32),
        )


def known_items(space: ContentSpace) -> Bools:
    """bool (n_items,): the items that some source of `space` knows something of."""
    known: Bools = np.logical_or.reduce([source.vectors.any(axis=1) for source in space.sources])
    return known


def complete(
    model: FactorModel,
    space: ContentSpace,
    settings: ColdStartSettings,
    *,
    pull: Pull,
    config: ColdStartConfig,
    popularity_exponent: float,
    progress: Progress = silent,
) -> FactorModel:
    """`model` with vectors of new items, made from content as `settings` say; rare items are helped.

    `space` is over the items of `model`. New and rare items get columns of the neighbours' weights too. New items
    count as having `config.pseudo_users` users where scores follow popularity. With a prior strength `pull` solves
    rare items of ALS again, then all users, see `with_prior`. The vectors of warm items stay, to the bit, and so do
    those of users if there is no prior. It is `model` itself if there is nothing to make, or no warm item to make it
    from.
    """
    groups = ItemGroups.of(model, space, config.rare_events)
    rare = groups.rare if settings.helps_rare_items else _NONE
    targets = np.union1d(groups.new, rare).astype(np.int32)
    if not len(groups.warm) or not len(targets):
        return model
    made = vectors_from_content(model, space, settings, targets, warm=groups.warm, progress=progress)
    of_new = np.isin(targets, groups.new)
    scale = scale_of_new(model, popularity_exponent, config.pseudo_users)
    filled = _with_vectors(model, groups.new, made.vectors[of_new], scale)
    if settings.prior_strength and len(rare) and isinstance(filled, AlsModel):
        filled = pull(filled, rare, made.vectors[~of_new], strength=settings.prior_strength)
    if model.neighbours is None:
        return filled
    share = np.where(
        of_new, 1.0, settings.content_users / (settings.content_users + np.maximum(model.item_degree[targets], 1))
    )
    columns = with_content_columns(
        model.neighbours,
        made.means,
        targets,
        own_weight=settings.own_weight,
        local=settings.local,
        share=share.astype(np.float32),
    )
    return filled.with_neighbours(columns)


_NONE = np.empty(0, np.int32)


@dataclass(frozen=True, eq=False)
class MadeVectors:
    """`vectors`: float32 (n, d). `means`: float32 CSR (n, n_items), see `ContentNeighbours.means`."""

    vectors: Floats
    means: Csr


def vectors_from_content(
    model: FactorModel,
    space: ContentSpace,
    settings: ColdStartSettings,
    targets: Indices,
    *,
    warm: Indices,
    progress: Progress = silent,
) -> MadeVectors:
    """Learned vectors of `targets`, int32 (n,), from content; `warm`, int32 (m,), has none of them."""
    content, items = vectors_of_space(settings.weighted(space)), model.embeddings.items
    nearest = nearest_by_content(content, targets, warm, k=settings.neighbours, progress=progress)
    means = nearest.means(settings.neighbours, settings.power, len(items))

    def by_ridge() -> Floats:
        ridge = fit_ridge(content, warm, items, model.item_degree, strength=settings.ridge)
        return ridge(content, targets)

    mean = neighbour_mean(means, items, full_length=settings.full_length)
    return MadeVectors(mapped(settings, mean, by_ridge), means)


def mapped(settings: ColdStartSettings, mean: Floats, by_ridge: Callable[[], Floats]) -> Floats:
    """Float32 (n, d): what the method of `settings` makes of the `mean` of neighbours and of the ridge.

    A ridge shrinks vectors too: with `full_length` they get the length of the mean, if an item has one.
    """
    if settings.method == "neighbours":
        return mean
    if settings.method == "sum":
        return summed(mean, by_ridge())
    return as_long_as(by_ridge(), mean) if settings.full_length else by_ridge()


def scale_of_new(model: FactorModel, popularity_exponent: float, pseudo_users: float) -> float:
    """`item_scale` of an item that counts as having `pseudo_users`, see `popularity_scale`."""
    raw = np.maximum(model.item_degree, 1).astype(np.float64) ** popularity_exponent
    return float(pseudo_users**popularity_exponent / raw.mean())


def _with_vectors(model: FactorModel, at: Indices, vectors: Floats, scale: float) -> FactorModel:
    embeddings = model.embeddings
    items, item_scale = embeddings.items.copy(), embeddings.item_scale.copy()
    items[at], item_scale[at] = vectors, scale
    return model.with_embeddings(Embeddings(embeddings.users, items, item_scale))
