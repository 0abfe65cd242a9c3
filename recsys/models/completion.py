"""Completion: the step between the fit and the index that may give vectors to items without a learned one."""

from recsys.data.items import Items
from recsys.models.factors.embeddings import Embeddings


def complete(embeddings: Embeddings, items: Items) -> Embeddings:
    """The embeddings that are indexed and published; today those of the fit, as they are.

    An item without users in training has the zero vector and is never listed. Vectors made from its title and
    attributes in `items` can be filled in here, in the space of the learned ones; later steps need no change. The
    vectors of users and of the other items stay.
    """
    return embeddings
