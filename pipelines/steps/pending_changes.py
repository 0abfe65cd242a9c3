"""What was told of items by day and is not in the catalogue of a new version: the night says so."""

import logging
from pathlib import Path

from recsys.data.id_map import IdMap
from recsys.errors import EventStoreError
from recsys.event_store.database import open_database
from recsys.event_store.item_changes import FILE_NAME, ItemChanges, pending

log = logging.getLogger(__name__)

PENDING = (
    "%s: %d posted items are not in the catalogue of this version and stay listed; %d of its items have values newer "
    "than the catalogue, which stay in force; put both into the catalogue"
)


def tell_pending(store: Path, items: IdMap, *, read_at: float) -> tuple[int, int]:
    """Warn how much of `new-items.sqlite` in the `store` the catalogue lacks, if anything; both numbers.

    `read_at`: when the catalogue was read, seconds since 1970. A file that cannot be read is a warning.
    """
    path = store / FILE_NAME
    if not path.is_file():
        return 0, 0
    try:
        _, changes = ItemChanges(open_database(path), path=path).since(0)
    except EventStoreError as error:
        log.warning("changes of items: %s", error)
        return 0, 0
    found = pending(changes, read_at=read_at, has_item=items.__contains__)
    if any(found):
        log.warning(PENDING, path, *found)
    return found
