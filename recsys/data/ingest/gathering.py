"""Accepted rows, block by block, to one Interactions."""

import logging
from typing import Any

import numpy as np

from recsys.data.id_map import IdMap
from recsys.data.ingest.external_ids import without_float_tails
from recsys.data.ingest.growing import Growing
from recsys.data.ingest.row_checks import CheckedRows
from recsys.data.ingest.vocabulary import Vocabulary
from recsys.data.interactions import Interactions
from recsys.errors import DataError

logger = logging.getLogger(__name__)

_MOST_KINDS = 127
"""An int8 code is kept for each event; a column of more kinds is hardly one of kinds."""


class Gathered:
    """Columns that grow by blocks: codes, times and values, 4 or 8 bytes a row each, and the distinct ids."""

    def __init__(self) -> None:
        self._users, self._items, self._events = Vocabulary(), Vocabulary(), Vocabulary()
        self._times, self._values = Growing(np.int64), Growing(np.float32)
        self._has_events = False
        self.n_rows = 0

    def add(self, rows: CheckedRows) -> None:
        """Take the next block. Raises DataError where it has too many kinds of event."""
        self.n_rows += len(rows.users)
        self._users.add(rows.users)
        self._items.add(rows.items)
        if rows.times is not None:
            self._times.append(rows.times)
        if rows.values is not None:
            self._values.append(rows.values)
        if rows.events is not None:
            _check_kinds(rows.events)
            self._has_events = True
            self._events.add(rows.events)

    def finish(self) -> Interactions:
        """All rows in their order; leaves this one empty. Raises DataError for too many kinds of event."""
        users, user_idx = self._users.finish()
        items, item_idx = self._items.finish()
        kinds, event = self._events.finish()
        _refuse_many(kinds.to_pylist())
        return Interactions(
            users=IdMap(_whole(users, "user")),
            items=IdMap(_whole(items, "item")),
            user_idx=user_idx,
            item_idx=item_idx,
            value=self._values.finish() if len(self._values) else np.ones(self.n_rows, np.float32),
            timestamp=self._times.finish() if len(self._times) else None,
            event=event.astype(np.int8) if self._has_events else None,
            event_names=tuple(kinds.to_pylist()),
        )


def _check_kinds(events: Any) -> None:
    """Fail at the first block that shows it, not after the whole log."""
    if len(events.dictionary) > _MOST_KINDS:
        used = np.unique(events.indices.to_numpy())
        _refuse_many([name.decode() for name in events.dictionary.take(used[: _MOST_KINDS + 1]).to_pylist()])


def _refuse_many(kinds: list[str]) -> None:
    if len(kinds) > _MOST_KINDS:
        shown = ", ".join(repr(kind) for kind in kinds[:3])
        raise DataError(
            f"log.event: the column holds more than {_MOST_KINDS} kinds of event, such as {shown}; "
            "it is probably not the column that says what kind an event is"
        )


def _whole(ids: Any, name: str) -> Any:
    # Cutting '.0' off all of them keeps their order, because a point sorts before every digit.
    whole = without_float_tails(ids)
    if whole is not ids:
        logger.info("every %s id is a whole number written as a float, as '7.0' is: they are read without '.0'", name)
    return whole
