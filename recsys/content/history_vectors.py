"""HistoryVectors: an encoder that learned from histories, and so knows items by their ids alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.content.encoder import Encoded, Problems
from recsys.content.texts import text_columns
from recsys.data.arrays import Floats, read_only, save_array
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.loading import damage_named, load_array
from recsys.data.matrix import InteractionMatrix
from recsys.errors import DataError
from recsys.progress import Progress, silent
from recsys.retrieval.exact import normalised

STATE = "histories.json"
_IDS, _VECTORS = "ids.arrow", "item_vectors.npy"


@dataclass(frozen=True, eq=False)
class HistoryVectors:
    """`vectors`: float32 (n_items, d), of the items `ids`, of length one; zero if nothing was learned."""

    ids: IdMap
    vectors: Floats

    def __post_init__(self) -> None:
        if self.vectors.dtype != np.float32 or self.vectors.ndim != 2 or len(self.vectors) != len(self.ids):
            raise DataError(f"vectors {self.vectors.dtype} {self.vectors.shape} for {len(self.ids)} items")
        object.__setattr__(self, "vectors", read_only(self.vectors))

    @staticmethod
    def of(ids: IdMap, vectors: Floats) -> "HistoryVectors":
        """`vectors` of any length, float32 (n_items, d)."""
        return HistoryVectors(ids, normalised(np.ascontiguousarray(vectors, np.float32)))

    @property
    def dimension(self) -> int:
        """The dimension d of its vectors."""
        return int(self.vectors.shape[1])

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items` by their ids; zero for an item that no history taught anything about."""
        position, known = self.ids.encode(items.ids.ids)
        vectors = np.zeros((len(items.ids), self.dimension), np.float32)
        vectors[known] = self.vectors[position]
        problems, missing = Problems(), np.flatnonzero(~vectors.any(axis=1))
        if len(missing):
            problems.add("in no history with another item", items.ids.id_at(int(missing[0])), n_items=len(missing))
        return Encoded(vectors, problems)

    def save(self, folder: Path) -> None:
        """Write histories.json, ids.arrow and item_vectors.npy into `folder`."""
        (folder / STATE).write_text(json.dumps({"dimension": self.dimension}), encoding="utf-8")
        self.ids.save(folder / _IDS)
        save_array(self.vectors, folder / _VECTORS)

    @staticmethod
    def load(folder: Path) -> "HistoryVectors":
        """Map what `save` wrote. Raises ArtifactError if it is missing or damaged."""
        with damage_named(folder, f"{_IDS} and {_VECTORS}"):
            return HistoryVectors(IdMap.load(folder / _IDS), load_array(folder / _VECTORS))


def histories_of(histories: InteractionMatrix | None, source_name: str) -> InteractionMatrix:
    """`histories`; raises DataError if there are none to learn from."""
    if histories is None or histories.csr.nnz == 0:
        raise DataError(f"content {source_name!r}: learns from histories, but there are none")
    return histories


def read_columns(items: Items, config: Any) -> tuple[str, ...]:
    """What an encoder reads that learns from texts or, by `config.on`, from histories: no column then."""
    return () if config.on == "histories" else text_columns(items, config.columns)
