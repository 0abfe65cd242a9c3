"""Garbage: how often Python looks for objects that only refer to each other.

Lists leave no such objects, nor does a version that was replaced: they are freed as soon as nothing refers to them.
By itself Python would look for some after every 700 new objects, several times in each batch of requests.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 10_000
"""So many more objects than were freed start a collection: more than all requests under way have."""


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Leave what is here now out of collections, which would delay requests by .1 s, and begin them rarely."""
    _, *older = before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *older)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
