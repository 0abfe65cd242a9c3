"""Object stores: whole objects, written under a condition, so that one of two writers wins and the other knows."""

from recsys.objects.connection import open_object_store
from recsys.objects.object_store import Listed, ObjectStore, Stored

__all__ = ["Listed", "ObjectStore", "Stored", "open_object_store"]
