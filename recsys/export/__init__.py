"""Everybody's list, written to where it is used: files, object stores, databases, Redis."""

from recsys.export.choice import target_of
from recsys.export.lists import SCHEMA, export_lists
from recsys.export.target import ListWriter, Target, try_target

__all__ = ["SCHEMA", "ListWriter", "Target", "export_lists", "target_of", "try_target"]
