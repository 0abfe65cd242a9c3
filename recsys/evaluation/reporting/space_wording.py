"""The sentences of the report about the space of the item vectors."""

from recsys.evaluation.number_format import count
from recsys.space.map_view import MapView
from recsys.space.reading import SpaceReading

NOTES = {
    "clusters": "Events: share of all pairs of user and item. Closeness: mean cosine of the items to the centre."
    " In brackets: share of the cluster's items with the term, and how many times the share of all items that is."
    " docs/embeddings.md says how clusters are found and named.",
    "no_terms": "No cluster has anything in common by title or attribute; perhaps [items] gives none."
    " `recsys space` lists the items of the clusters.",
    "directions": "Along these the items differ most; with the correlation of having the term and being far out.",
}
"""Sentences without numbers, by what they are about."""


def read(space: SpaceReading) -> str:
    """What the learned vectors are read by."""
    n = count(space.n_items)
    if space.n_read == space.n_items:
        return f"What the learned vectors of {n} items have in common, by their titles and attributes."
    return (
        f"What the learned vectors of {n} items have in common, by titles and attributes of the"
        f" {count(space.n_read)} with the most users."
    )


def drawn(view: MapView) -> str:
    """The caption of the map."""
    by = "the number of users" if view.coloured_by == "users" else view.coloured_by
    items = count(view.n_items)
    return (
        f"The {items} items with the most users; near each other: chosen by the same users. Places by {view.made_by}."
        f" Colour: {by}."
    )
