"""SpaceReading: what the vectors of a version's items mean, for people."""

from dataclasses import dataclass

from recsys.data.arrays import Floats
from recsys.data.items import Items
from recsys.space.clusters import Cluster, find_clusters
from recsys.space.directions import Direction, direction_between, principal_directions
from recsys.space.items_read import ItemsRead
from recsys.space.map_view import MapView, view_of
from recsys.space.terms import terms_of


@dataclass(frozen=True)
class SpaceReading:
    """The clusters, largest first, and the directions of a space.

    `n_items`: items with a vector. `n_read`: how many of them it is read by, those with the most users.
    """

    n_items: int
    n_read: int
    clusters: tuple[Cluster, ...]
    directions: tuple[Direction, ...]

    @property
    def is_named(self) -> bool:
        """Whether any cluster has a term; none has if the catalogue has neither titles nor attributes."""
        return any(cluster.terms for cluster in self.clusters)


def read_space(
    items: Items,
    vectors: Floats,
    degree: Floats,
    *,
    n_clusters: int | None = None,
    between: tuple[str, str] | None = None,
) -> SpaceReading:
    """The reading of `vectors`, float32 (n_items, d), compared by cosine; the zero vector means none.

    `degree`: float32 (n_items,), distinct users. `n_clusters`: see `find_clusters`. `between`: the ids of two items;
    the only direction then is the one from the first to the second. Raises ConfigError if there is none.
    """
    read = ItemsRead.of(items, vectors, degree)
    terms = terms_of(read.catalogue)
    return SpaceReading(
        n_items=int(vectors.any(axis=1).sum()),
        n_read=len(read.rows),
        clusters=tuple(cluster for cluster, _ in find_clusters(read, terms, n_clusters=n_clusters)),
        directions=(direction_between(read, terms, between),) if between else principal_directions(read, terms),
    )


def read_with_map(
    items: Items, vectors: Floats, degree: Floats, places: Floats | None, *, made_by: str
) -> tuple[SpaceReading, MapView | None]:
    """The reading of `vectors` as `read_space` makes it, and what to draw of the map of the same items.

    `places`: float32 (n_items, 2), or None; then nothing is drawn, nor of fewer than two items. `made_by`: how they
    were made, in words.
    """
    read = ItemsRead.of(items, vectors, degree)
    terms = terms_of(read.catalogue)
    found = find_clusters(read, terms)
    reading = SpaceReading(
        n_items=int(vectors.any(axis=1).sum()),
        n_read=len(read.rows),
        clusters=tuple(cluster for cluster, _ in found),
        directions=principal_directions(read, terms),
    )
    if places is None or len(read.rows) < 2:
        return reading, None
    return reading, view_of(places, read, terms, found, made_by=made_by)
