"""Directions of a space: the items at both ends, and what tells them apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.errors import ConfigError
from recsys.space.items_read import ItemsRead, ShownItem
from recsys.space.terms import Terms

_EXAMPLES = 6
_TERMS = 4
_CERTAIN = 1e-3
_LEAST_CORRELATION = 0.05


@dataclass(frozen=True)
class TermAlong:
    """A term, and the point-biserial correlation of having it with the place along a direction, -1 to 1."""

    term: str
    correlation: float

    @property
    def text(self) -> str:
        """As people read it: the term and its correlation."""
        return f"{self.term} ({self.correlation:.2f})"


@dataclass(frozen=True)
class End:
    """One end of a direction. `items`: the farthest first. `terms`: what the items of this end have more often."""

    items: tuple[ShownItem, ...]
    terms: tuple[TermAlong, ...]


@dataclass(frozen=True)
class Direction:
    """A direction of the space. `name`: what it is. `share`: of the variance of the vectors that lies along it."""

    name: str
    share: float
    low: End
    high: End


def principal_directions(read: ItemsRead, terms: Terms, *, n: int = 4) -> tuple[Direction, ...]:
    """The `n` directions with the largest variance of the vectors (principal components), the largest first.

    The two ends have no order: the end with the larger third moment, a few items far out, is the high one.
    """
    if len(read.rows) < 2:
        return ()
    centred = read.vectors - read.vectors.mean(axis=0)
    variance, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    largest = [axes[:, -place].astype(np.float32) for place in range(1, min(n, len(variance)) + 1)]
    return tuple(
        _direction(f"direction {number}", _pointing(axis, centred), read, terms, centred)
        for number, axis in enumerate(largest, start=1)
        if variance[-number] > 0
    )


def _pointing(axis: Floats, centred: Floats) -> Floats:
    return axis if ((centred @ axis).astype(np.float64) ** 3).sum() >= 0 else -axis


def direction_between(read: ItemsRead, terms: Terms, ends: tuple[str, str]) -> Direction:
    """The direction from the vector of the item `ends[0]` to that of `ends[1]`.

    Raises ConfigError if one is unknown or has no vector, or both have the same one.
    """
    start, stop = (read.vectors[_position(read, item_id)] for item_id in ends)
    difference = stop - start
    length = float(np.linalg.norm(difference))
    if length == 0:
        raise ConfigError(f"direction: {ends[0]!r} and {ends[1]!r} have the same vector; expected two places")
    centred = read.vectors - read.vectors.mean(axis=0)
    titles = [read.shown(np.array([_position(read, item_id)], np.int32))[0].text for item_id in ends]
    return _direction(f"from {titles[0]} to {titles[1]}", difference / np.float32(length), read, terms, centred)


def _position(read: ItemsRead, item_id: str) -> int:
    row = read.items.ids.position(item_id)
    at = int(np.searchsorted(read.rows, -1 if row is None else row))
    if row is None or at == len(read.rows) or read.rows[at] != row:
        reason = "is not in the catalogue" if row is None else "has no vector, or too few users to be read"
        raise ConfigError(f"direction: the item {item_id!r} {reason}")
    return at


def _direction(name: str, axis: Floats, read: ItemsRead, terms: Terms, centred: Floats) -> Direction:
    place = (centred @ axis).astype(np.float64)
    order = np.argsort(place, kind="stable").astype(np.int32)
    correlation = correlations(terms, place)
    total = float(np.einsum("nd,nd->", centred, centred, dtype=np.float64))
    return Direction(
        name=name,
        share=float((place**2).sum() / total) if total else 0.0,
        low=_end(order, -correlation, read, terms.labels),
        high=_end(order[::-1], correlation, read, terms.labels),
    )


def _end(outermost: Indices, correlation: Doubles, read: ItemsRead, labels: Sequence[str]) -> End:
    limit = max(_LEAST_CORRELATION, _certain_from(len(outermost), len(labels)))
    best = np.argsort(-correlation, kind="stable")[:_TERMS]
    terms = tuple(TermAlong(labels[at], float(correlation[at])) for at in best if correlation[at] > limit)
    return End(read.shown(outermost[:_EXAMPLES]), terms)


def _certain_from(n_items: int, n_terms: int) -> float:
    """A correlation by chance is about normal with deviation 1 / sqrt(n_items); Bonferroni over the terms."""
    return float(-ndtri(_CERTAIN / max(1, 2 * n_terms)) / n_items**0.5)


def correlations(terms: Terms, place: Doubles) -> Doubles:
    """Float64 (n_terms,): the point-biserial correlation of each term with `place`, float64 (n_items,).

    r = (mean place of items with the term - mean place of all) / deviation of place * sqrt(p / (1 - p)), p the share
    of items with the term: Pearson's correlation with the term as 0 or 1. Zero if place does not vary.
    """
    n, deviation = len(place), float(place.std())
    share = terms.counts / max(1, n)
    if deviation == 0 or not len(share):
        return np.zeros(len(share))
    covariance = (terms.members.T @ (place - place.mean())) / n
    found: Doubles = covariance / (deviation * np.sqrt(share * (1 - share)))
    return found
