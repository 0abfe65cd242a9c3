"""Completion: the step between the fit and the index that may give vectors to items without a learned one."""

from recsys.data.items import Items
from recsys.models.factors.embeddings import Embeddings


def complete(embeddings: Embeddings, items: Items) -> Embeddings:
    """The embeddings that are indexed and published; today those of the fit, as they are.

    An item that nobody used in training has the zero vector and is never listed. Its title and attributes in `items`
    may tell what it is like: vectors made from such content go in here, in the space of the learned ones, and nothing
    after this step needs to know of them. Users and the vectors of the other items stay.
    """
    return embeddings
