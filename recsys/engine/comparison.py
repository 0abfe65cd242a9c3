"""Comparison: the vectors by which items are compared, learned from behaviour, made from content, or both."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np

from recsys.artifacts.contents import Contents
from recsys.content.space import ContentSpace
from recsys.data.arrays import Floats, Indices
from recsys.errors import InvalidRequestError, NoContentError
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.exact import normalised
from recsys.retrieval.joined import JoinedSearch, Part
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.selective import Gather

By = Literal["behaviour", "content", "both"]
"""behaviour: learned vectors; content: vectors of what is known of the items; both: the mean of the two cosines."""

_CANCELLED = 1e-6  # what is left of vectors that cancel out is rounding, which points anywhere


@dataclass(frozen=True, eq=False)
class Comparison:
    """One way to compare items.

    `search`: over rows that hold the halves side by side. `halves`: gather the vectors of some items, of length one,
    or zero if an item has none: float32 (m, d_half). The score of two items is the mean over the halves of their
    cosines; an item without a vector in a half counts as a cosine of zero there.
    """

    search: ItemSearch
    halves: tuple[Gather, ...]

    def rows(self, positions: Indices) -> Floats:
        """Float32 (m, d): the rows of the items at `positions`, int32 (m,)."""
        return np.ascontiguousarray(np.hstack([half(positions) for half in self.halves]) * self._scale)

    def query(self, positive: Indices, negative: Indices) -> Floats:
        """Float32 (1, d): the direction of the items `positive` less that of `negative`, int32 (m,).

        Per half, the sum of the positive items' vectors less that of the negative ones', of length one; zero if these
        cancel out.
        """
        return self.query_of([_direction(half(positive), half(negative)) for half in self.halves])

    def query_of(self, directions: list[Floats]) -> Floats:
        """Float32 (1, d): the query of a direction per half, float32 (1, d_half), of length one or zero."""
        return np.ascontiguousarray(np.hstack(directions) * self._scale)

    @property
    def _scale(self) -> np.float32:
        return np.float32(len(self.halves) ** -0.5)


def by_behaviour(contents: Contents) -> Comparison:
    """Learned vectors, through the published index."""
    return Comparison(contents.similar, (partial(learned_directions, contents.model.embeddings),))


def by_content(content: ContentSpace) -> Comparison:
    """Vectors of content, every item compared: see `JoinedSearch`."""
    search = JoinedSearch(content_parts(content))
    return Comparison(search, (search.gather,))


def by_both(contents: Contents, content: ContentSpace) -> Comparison:
    """Learned vectors beside those of content, every item compared."""
    n_items, half = contents.similar.n_items, np.float32(0.5**0.5)
    of_content = content_parts(content)
    learned = Part(contents.similar.vectors, np.full(n_items, half, np.float32))
    scaled = tuple(Part(part.vectors, part.scale * half) for part in of_content)
    halves: tuple[Callable[[Indices], Floats], ...] = (
        partial(learned_directions, contents.model.embeddings),
        JoinedSearch(of_content).gather,
    )
    return Comparison(JoinedSearch((learned, *scaled)), halves)


def content_parts(content: ContentSpace) -> tuple[Part, ...]:
    """The sources of `content` as parts of a search: joined rows have length one, or zero if nothing is known."""
    known = np.array([[source.weight] for source in content.sources]) * [
        np.asarray(source.vectors).any(axis=1) for source in content.sources
    ]
    length = np.sqrt(np.maximum(known.sum(axis=0), np.finfo(np.float32).tiny))
    return tuple(
        Part(source.vectors, (source.weight**0.5 / length * (row > 0)).astype(np.float32))
        for source, row in zip(content.sources, known, strict=True)
    )


def learned_directions(embeddings: Embeddings, positions: Indices) -> Floats:
    """Float32 (m, d): the learned vectors at `positions`, int32 (m,), of length one or zero."""
    return normalised(np.asarray(embeddings.items[positions]))


def needs_content(content: ContentSpace | None) -> ContentSpace:
    """`content`, if there is some. Raises NoContentError."""
    if content is None:
        raise NoContentError
    return content


def check_by(by: object) -> None:
    """Raise InvalidRequestError unless `by` is one of `By`."""
    if by not in get_args(By):
        raise InvalidRequestError(f"by: expected one of {', '.join(get_args(By))}")


def _direction(like: Floats, unlike: Floats) -> Floats:
    direction: Floats = like.sum(axis=0, dtype=np.float32) - unlike.sum(axis=0, dtype=np.float32)
    return normalised(direction[None]) if np.linalg.norm(direction) >= _CANCELLED else np.zeros_like(direction)[None]
