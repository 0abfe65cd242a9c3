"""The join of log and catalogue: how many items and events have a row, and ids that differ in their spelling only."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions

_FEW_EVENTS = 0.5
"""A catalogue that has less than this share of the events is logged as a warning."""


@dataclass(frozen=True)
class LookAlikes:
    """Items of the log that the catalogue has under another spelling: their number, and one of them in both."""

    n_items: int
    log: str
    catalogue: str


@dataclass(frozen=True)
class CatalogueJoin:
    """What the catalogue knows of the log.

    `n_items`, `n_events`: distinct items of the log, and its events. `n_items_known`, `n_events_known`: those that
    the catalogue has. `n_rows`: items of the catalogue; `n_without_events`: those that the log does not have.
    """

    n_items: int
    n_items_known: int
    n_events: int
    n_events_known: int
    n_rows: int
    n_without_events: int
    look_alikes: LookAlikes | None = None

    @property
    def share_of_items(self) -> float:
        """n_items_known / n_items; 0 without items."""
        return self.n_items_known / self.n_items if self.n_items else 0.0

    @property
    def share_of_events(self) -> float:
        """n_events_known / n_events; 0 without events."""
        return self.n_events_known / self.n_events if self.n_events else 0.0

    def warnings(self) -> Iterator[str]:
        """Sentences about ids that are spelled otherwise, and about a catalogue that misses most events."""
        if (found := self.look_alikes) is not None:
            yield (
                f"{found.n_items} items of the log are in the catalogue under another spelling: the log has"
                f" {found.log!r}, the catalogue {found.catalogue!r}; write them alike, or they have no title and no"
                " attributes"
            )
        elif self.share_of_events < _FEW_EVENTS:
            yield (
                f"the catalogue has {self.n_items_known} of the log's {self.n_items} items, with"
                f" {self.share_of_events:.0%} of the events; the others have no title and no attributes"
            )


def join_catalogue(catalogue: IdMap, events: Interactions) -> CatalogueJoin:
    """The join of the catalogue's ids with the items of `events`."""
    return join_items(catalogue, events.items, np.bincount(events.item_idx, minlength=len(events.items)))


def join_items(catalogue: IdMap, items: IdMap, per_item: NDArray[np.int64]) -> CatalogueJoin:
    """The same of the items of a log and their events, int64 (n_items,)."""
    used = per_item > 0
    known = np.asarray(pc.is_in(items.ids, value_set=catalogue.ids), np.bool_)
    missing = items.ids.filter(pa.array(used & ~known))
    with_events = items.ids.filter(pa.array(used & known))
    unused = catalogue.ids.filter(pc.invert(pc.is_in(catalogue.ids, value_set=with_events)))
    return CatalogueJoin(
        n_items=int(used.sum()),
        n_items_known=int((used & known).sum()),
        n_events=int(per_item.sum()),
        n_events_known=int(per_item[known].sum()),
        n_rows=len(catalogue),
        n_without_events=len(unused),
        look_alikes=_look_alikes(missing, unused),
    )


def _look_alikes(log: pa.StringArray, catalogue: pa.StringArray) -> LookAlikes | None:
    """Ids of the log, and ids of the catalogue that the log does not have, that are equal but for their spelling."""
    at = pc.index_in(_simplified(log), value_set=_simplified(catalogue))
    found = np.flatnonzero(np.asarray(at.is_valid(), np.bool_))
    if not len(found):
        return None
    first = int(found[0])
    return LookAlikes(len(found), log[first].as_py(), catalogue[at[first].as_py()].as_py())


def _simplified(ids: pa.StringArray) -> pa.StringArray:
    """Without white space, quotes, a float's tail and leading zeros, in lower case."""
    ids = pc.utf8_trim_whitespace(pc.utf8_trim(pc.utf8_trim_whitespace(ids), characters="\"'"))
    ids = pc.replace_substring_regex(pc.utf8_lower(ids), r"^(-?\d+)\.0+$", r"\1")
    return pc.replace_substring_regex(ids, r"^0+(\d)", r"\1")
