"""Recommendations from embeddings: data, models, retrieval, evaluation, sealed versions, and the engine."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__: str
"""The installed release."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> str:
        """Look up `__version__` when it is asked for: reading package metadata takes longer than the import."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("importlib.metadata").version("recsys")
