"""Seen items: which entries of a matrix make an item seen, so that lists leave it out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs, load_csr, presence, save_csr
from recsys.errors import ConfigError
from recsys.suggestions import unknown_key_hint

_FILE = "seen"


def seen_items(events: Interactions, matrix: InteractionMatrix, *, weights: EventWeights) -> Csr | None:
    """The entries of `matrix` that have an event of a kind in `weights.seen_kinds`; None if that is empty.

    `matrix`: made of `events`. Returns float32 (n_users, n_items), canonical, 1 for each entry. The events of these
    kinds must come to a weight above zero by themselves: an item that was bought and sent back is not seen.
    Raises ConfigError if the events have no kind, or if one of these kinds has no weight and is not in the log.
    """
    if not weights.seen_kinds:
        return None
    pairs = weights.merge(events.select(np.isin(_codes(events), _seen_codes(events, weights))))
    user_at, user_known = matrix.users.lookup(events.users)
    item_at, item_known = matrix.items.lookup(events.items)
    kept = (pairs.weight > 0) & user_known[pairs.user_idx] & item_known[pairs.item_idx]
    row, column = user_at[pairs.user_idx[kept]], item_at[pairs.item_idx[kept]]
    seen = csr_from_pairs(row, column, np.ones(len(row), np.float32), matrix.csr.shape)
    both = Csr(seen.multiply(matrix.csr))
    both.sort_indices()
    return presence(both)


def _codes(events: Interactions) -> NDArray[np.int8]:
    if events.event is None:
        raise ConfigError("log.seen_events: given, but the events have no kind; set log.event to its column")
    return events.event


def _seen_codes(events: Interactions, weights: EventWeights) -> list[int]:
    """The codes of the seen kinds. A kind with a weight need not be in the log."""
    for kind in weights.seen_kinds:
        if not weights.kinds and kind not in events.event_names:
            hint = unknown_key_hint(kind, events.event_names)
            raise ConfigError(f"log.seen_events: the log has no event of kind {kind!r}{hint}")
    return [code for code, name in enumerate(events.event_names) if name in weights.seen_kinds]


def save_seen(seen: Csr | None, folder: Path) -> None:
    """Write `seen` into `folder`; nothing for None."""
    if seen is not None:
        save_csr(seen, folder / _FILE)


def load_seen(folder: Path, shape: tuple[int, int]) -> Csr | None:
    """Read what `save_seen` wrote for a matrix of `shape`. Raises ArtifactError if it is damaged."""
    return load_csr(folder / _FILE, shape) if (folder / f"{_FILE}.indptr.npy").exists() else None
