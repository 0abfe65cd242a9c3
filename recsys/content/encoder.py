"""Encoder: turns what is known of items into vectors; and the entry of the registry that describes one."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recsys.content.config import EncoderConfig
from recsys.content.texts import text_columns
from recsys.data.arrays import Floats, read_only
from recsys.data.items import Items
from recsys.errors import DataError
from recsys.progress import Progress, silent


@dataclass
class Problems:
    """What was wrong with single items, counted by reason; such an item stays, with the zero vector.

    `counts`: items by reason. `first`: by reason, the first such item and what is wrong with it, in one line.
    """

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, example: str, *, n_items: int = 1) -> None:
        """Count `n_items` items under `reason`, such as "no text"; the first `example` of a reason is kept."""
        self.counts[reason] += n_items
        self.first.setdefault(reason, example)


@dataclass(frozen=True, eq=False)
class Encoded:
    """The vectors of n items by one encoder.

    `vectors`: float32 (n, d), C-contiguous, finite, read-only; every row has length one, or is zero if nothing is
    known of the item. `problems`: items that could not be encoded, by reason.
    Raises DataError if the vectors are of another kind.
    """

    vectors: Floats
    problems: Problems = field(default_factory=Problems)

    def __post_init__(self) -> None:
        vectors = self.vectors
        if vectors.dtype != np.float32 or vectors.ndim != 2 or not vectors.flags.c_contiguous:
            raise DataError(f"content: {vectors.dtype} {vectors.shape}, expected C-contiguous float32 (n, d)")
        squared = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
        if not (np.isclose(squared, 1, atol=1e-3) | (squared == 0)).all():  # NaN is neither
            raise DataError("content: holds vectors whose length is neither one nor zero")
        object.__setattr__(self, "vectors", read_only(vectors))

    @property
    def n_known(self) -> int:
        """Items with a vector that is not zero."""
        return int(self.vectors.any(axis=1).sum())


class Encoder(Protocol):
    """A fitted encoder. The vector of an item depends on that item alone, whatever the others."""

    @property
    def dimension(self) -> int:
        """The dimension d of its vectors."""

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items`, row i for position i; bounded memory beside the result."""

    def save(self, folder: Path) -> None:
        """Write it into `folder`, which exists: arrays, JSON or Arrow, no pickle. Only if its kind has a `load`."""


@dataclass(frozen=True)
class EncoderKind:
    """An entry of the registry.

    `config`: its `[[content]]` table. `fit(items, config, *, histories, progress)` returns an Encoder; `histories` is
    the InteractionMatrix over the same items to learn from if `learns_from_histories(config)`, else None.
    `load(folder)` reads what `save` wrote; None if the encoder cannot be sealed into a version, so that the service
    encodes no text and no new item with it.
    `reads(items, config)`: the columns of `items` that it reads; by default `config.columns`, or else all with texts.
    `files(config)`: files and folders outside the log and catalogue that the vectors depend on: they are part of
    the fingerprint. `by_row`: whether a fit learns nothing from the items, so that a vector made on an earlier night
    can be used again if item and files are unchanged. `row_states(items, config)`: one text per item that changes if
    what its columns point to does, such as a picture's file; by default nothing. `reads_text`: whether `encode` makes
    a sensible vector of an item of which only one text column is known, so that a search by words can use it.
    `unavailable`: returns what is not installed, such as "needs gensim ..."; None if nothing is missing.
    """

    config: type[EncoderConfig]
    fit: Callable[..., Encoder]
    load: Callable[[Path], Encoder] | None = None
    reads: Callable[[Items, Any], tuple[str, ...]] = lambda items, config: text_columns(items, config.columns)
    files: Callable[[Any], tuple[Path, ...]] = lambda config: ()
    by_row: bool = False
    row_states: Callable[[Items, Any], Iterable[str]] = lambda items, config: ()
    reads_text: bool = False
    learns_from_histories: Callable[[Any], bool] = lambda config: False
    unavailable: Callable[[], str | None] = lambda: None
