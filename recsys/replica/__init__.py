"""Replicas: a store in an object store, followed into a bounded folder on this machine that is served from."""

from recsys.replica.cache import Bounds, Cache, cache_folder
from recsys.replica.replica import Replica
from recsys.replica.status import Status

__all__ = ["Bounds", "Cache", "Replica", "Status", "cache_folder"]
