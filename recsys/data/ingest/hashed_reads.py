"""HashedReads: rows whose hashes are summed while they are read, so that a fingerprint costs no second read."""

from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa

from recsys.data.ingest.row_hashes import RowHashes
from recsys.data.ingest.source import Batches, RawBatch
from recsys.progress import Progress

ParseRows = Callable[[pa.RecordBatch, int], RawBatch]
"""Makes the rows of a batch, whose first one has this number, ready to be checked."""


class HashedReads:
    """The reads of one source, of which it remembers the last complete one."""

    def __init__(self) -> None:
        self._last: RowHashes | None = None

    def batches(
        self, found: Iterator[pa.RecordBatch], parse: ParseRows, *, expected: int, progress: Progress, remember: bool
    ) -> Batches:
        """The rows of `found`, numbered from 1. `expected`: about how many, for `progress`, which counts rows.

        `remember`: whether these are the columns that the fingerprint is of.
        """
        self._last = None
        hashes, n_rows = RowHashes(), 0
        for batch in found:
            yield partial(_parsed, hashes, parse, batch, n_rows + 1)
            n_rows += len(batch)
            progress("read", n_rows, max(expected, n_rows + 1))
        progress("read", n_rows, n_rows)
        hashes.n_read = n_rows
        if remember:
            self._last = hashes

    def know(self, hashes: RowHashes) -> None:
        """Remember a complete read of other processes."""
        hashes.n_read = hashes.sums[0]
        self._last = hashes

    def fingerprint(self, read: Callable[[], Batches]) -> str:
        """sha256, in hexadecimal, of the rows in any order; `read` is called if no read was complete so far."""
        if self._last is None or not self._last.complete:
            for parse in read():
                parse()
        return "" if self._last is None else self._last.digest()


def _parsed(hashes: RowHashes, parse: ParseRows, batch: pa.RecordBatch, first: int) -> RawBatch:
    rows = parse(batch, first)
    hashes.add(rows.rows)
    return rows
