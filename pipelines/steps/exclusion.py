"""items.exclude: items that no list shows, and whose events do not count."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.config import ItemsConfig
from recsys.data.cleaning import CleaningSummary
from recsys.data.ingest.catalogue import read_items
from recsys.data.ingest.input import Input
from recsys.data.interactions import Interactions
from recsys.data.items import Items
from recsys.engine.filters import Filter, compile_filter, parse_filter
from recsys.errors import ConfigError, FilterError

EXCLUDED = "excluded_item"
"""The reason under which cleaning counts the events of excluded items."""


@dataclass(frozen=True, eq=False)
class Excluded:
    """The ids of the items that `items.exclude` passes: pyarrow string array (n,)."""

    ids: pa.StringArray

    def removed_from(self, events: Interactions) -> Interactions:
        """The events of all other items, over the same id maps."""
        if not len(self.ids):
            return events
        is_excluded = np.asarray(pc.is_in(events.items.ids, value_set=self.ids), np.bool_)
        return events.select(~is_excluded[events.item_idx])


NOTHING = Excluded(pa.array([], pa.string()))


def read_catalogue(config: ItemsConfig, source: Input | None = None) -> tuple[Items, Excluded]:
    """The catalogue, and the items that are kept out of lists.

    Raises ConfigError if `items.exclude` is no filter, does not fit the attributes, or passes every item; raises as
    `read_items` does.
    """
    tree = _parsed(config.exclude)
    catalogue = read_items(config, source=source)
    return catalogue, NOTHING if tree is None else _excluded(tree, catalogue)


def counted(cleaning: CleaningSummary, *, before: Interactions, after: Interactions) -> CleaningSummary:
    """The summary of a log from which events of excluded items were removed: `before` and `after` that."""
    n_excluded = len(before) - len(after)
    if not n_excluded:
        return cleaning
    n_people, n_left = (int(np.count_nonzero(np.bincount(each.user_idx))) for each in (before, after))
    return with_excluded(cleaning, n_events=n_excluded, n_people=n_people - n_left)


def with_excluded(cleaning: CleaningSummary, *, n_events: int, n_people: int) -> CleaningSummary:
    """The summary with `n_events` of excluded items, of which `n_people` users had no others."""
    if not n_events:
        return cleaning
    values = vars(cleaning) | {
        "n_without_history": cleaning.n_without_history + n_people,
        "events_in": cleaning.events_in + n_events,
        "removed": {EXCLUDED: n_events, **cleaning.removed},
    }
    return CleaningSummary(**values)


def recounted(cleaning: CleaningSummary, *, first: CleaningSummary) -> CleaningSummary:
    """The summary of events that were weighed anew, with the excluded ones that `first` counts of the same log."""
    if not (n_excluded := first.removed.get(EXCLUDED, 0)):
        return cleaning
    values = vars(cleaning) | {
        "n_without_history": cleaning.n_without_history + first.n_people - cleaning.n_people,
        "events_in": cleaning.events_in + n_excluded,
        "removed": {EXCLUDED: n_excluded, **cleaning.removed},
    }
    return CleaningSummary(**values)


def _parsed(text: str | None) -> Filter | None:
    try:
        return None if text is None else parse_filter(text)
    except FilterError as error:
        raise ConfigError(f"items.exclude: {error}") from error


def _excluded(tree: Filter, catalogue: Items) -> Excluded:
    try:
        passes = compile_filter(tree, catalogue)
    except FilterError as error:
        raise ConfigError(f"items.exclude: {error}") from error
    if passes.all():
        raise ConfigError(
            f"items.exclude: the filter matches all {len(passes)} items of the catalogue; expected at least one "
            "that it does not match"
        )
    return Excluded(catalogue.ids.ids.filter(pa.array(passes)))
