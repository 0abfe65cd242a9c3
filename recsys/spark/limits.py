"""Limits: how much one version and one block hold. Positions, offsets and the sizes of cells are 32 bits."""

import pyarrow as pa

from recsys.errors import DataError

MOST = 2**31 - 1
"""Users, items and pairs of a version, and the bytes of its users' or items' ids."""

MOST_ENTRIES = 2**28
"""Entries of a block: a cell holds less than 2 GiB."""

_FEWER = (
    "leave out events (prepare.max_user_events, log.ignore_events) or users and items (prepare.min_user_items, "
    "prepare.min_item_users)"
)


def check_users(n_users: int, *, most: int = MOST) -> None:
    """Raise DataError if a log has more users than `most`: each has a position, before any is left out."""
    if n_users > most:
        raise DataError(
            f"the log has {n_users:,} users, and a version holds up to {most:,}; read a shorter log, or split it by "
            "region"
        )


def check_ids(n_ids: int, n_bytes: int, what: str, *, most: int = MOST) -> None:
    """Raise DataError if the ids of `what`, users or items, are more than one map holds, or longer in all."""
    if n_ids > most or n_bytes > most:
        raise DataError(
            f"the ids of {what} are more than {most:,}, or have more than {most:,} bytes in all: {n_ids:,} ids with "
            f"{n_bytes:,} bytes so far; a version holds no more. Leave out {what} (prepare.min_user_items, "
            "prepare.min_item_users, log.ignore_events), write shorter ids, or split the log by region"
        )


def check_item_ids(ids: pa.ChunkedArray, *, most: int = MOST) -> None:
    """Raise DataError if the distinct items of a log do not fit one map. `ids`: binary."""
    n_bytes = sum(chunk.get_total_buffer_size() for chunk in ids.chunks) - 4 * len(ids)
    if len(ids) > most or n_bytes > most:
        raise DataError(
            f"the log has {len(ids):,} items, whose ids have about {max(n_bytes, 0):,} bytes in all, and a version "
            f"holds up to {most:,} of either; write shorter ids, or split the log"
        )


def check_entries(entries: int, *, most: int = MOST) -> None:
    """Raise DataError if a matrix has more entries than a version holds."""
    if entries > most:
        raise DataError(f"the matrix has {entries:,} entries, and a version holds up to {most:,}; {_FEWER}")


def check_block(entries: int, *, first: int, n_rows: int, most: int = MOST_ENTRIES) -> None:
    """Raise DataError if a block, `n_rows` matrix rows from `first` on, does not have less than `most` entries."""
    if entries < most:
        return
    if n_rows == 1:
        raise DataError(
            f"row {first:,}, one user or one item, has {entries:,} entries, and a block holds less than "
            f"{most:,}; leave the user out (prepare.max_user_events) or the item (items.exclude)"
        )
    raise DataError(
        f"rows {first:,} to {first + n_rows - 1:,} have {entries:,} entries in one block, expected less than "
        f"{most:,}; set compute.block_entries or prepare.max_user_events lower"
    )
