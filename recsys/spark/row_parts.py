"""Row parts: rows of a matrix in a file per chunk of users, and these users; joined file to file into arrays."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.lib import format as npy
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.matrix import Csr, empty_csr
from recsys.errors import DataError
from recsys.spark.limits import MOST, check_entries
from recsys.spark.row_blocks import RowBlock, blocks_of
from recsys.spark.whole_files import write_npy, write_parquet
from recsys.storage import storage_errors

_DOING = "while parts were joined"


@dataclass(frozen=True)
class RowParts:
    """`table`: folder of blocks, one per chunk that has rows. `positions`: folder of npy files, int32 ascending, the
    users of these rows among those of the log. The files by name are in the order of the users.
    """

    table: Path
    positions: Path

    def write(self, chunk: int, users: Indices, block: RowBlock) -> None:
        """Write the rows of one chunk."""
        write_parquet(block.to_batch(), self.table / f"part-{chunk:020d}.parquet")
        write_npy(users.astype(np.int32), self.positions / f"{chunk:020d}.npy")

    def of(self, chunk: int, n_columns: int) -> tuple[Indices, Csr]:
        """The users of one chunk and their rows; none if it has no rows."""
        path = self.positions / f"{chunk:020d}.npy"
        if not path.exists():
            return np.zeros(0, np.int32), empty_csr((0, n_columns))
        table = pq.ParquetFile(self.table / f"part-{chunk:020d}.parquet").read()
        return np.load(path, allow_pickle=False), next(blocks_of(table, n_columns)).rows

    def join_users(self, path: Path) -> Path:
        """Write the users of all rows, int32, as one npy file."""
        files = sorted(self.positions.glob("*.npy"))
        lengths = [np.load(file, mmap_mode="r", allow_pickle=False).shape[0] for file in files]
        pieces = (np.load(file, allow_pickle=False) for file in files)
        join_arrays(pieces, path, np.int32, sum(lengths))
        return path

    def join_rows(self, prefix: Path, shape: tuple[int, int], entries: int, *, most: int = MOST) -> None:
        """Write all rows as `recsys.data.matrix.save_csr` does. Raises DataError if there are more than `most`."""
        check_entries(entries, most=most)
        for name, dtype, size, of in _ARRAYS:
            path = prefix.with_name(f"{prefix.name}.{name}.npy")
            join_arrays(self._pieces(of, shape[1]), path, dtype, shape[0] + 1 if size is None else entries)

    def _pieces(self, of: Callable[[Csr, int], NDArray[Any]], n_columns: int) -> Iterator[NDArray[Any]]:
        before = 0
        if of is _offsets:
            yield np.zeros(1, np.int32)
        for file in sorted(self.table.glob("*.parquet")):
            rows = next(blocks_of(pq.ParquetFile(file).read(), n_columns)).rows
            yield of(rows, before)
            before += rows.nnz


def _offsets(rows: Csr, before: int) -> NDArray[Any]:
    return rows.indptr[1:] + np.int32(before)


def _columns(rows: Csr, _: int) -> NDArray[Any]:
    return rows.indices


def _weights(rows: Csr, _: int) -> NDArray[Any]:
    return rows.data


_ARRAYS: tuple[tuple[str, Any, int | None, Callable[[Csr, int], NDArray[Any]]], ...] = (
    ("indptr", np.int32, None, _offsets),
    ("indices", np.int32, 1, _columns),
    ("data", np.float32, 1, _weights),
)
"""Name, dtype, entries per entry (None: one per row and one more), and the part of each block."""


def join_arrays(pieces: Iterator[NDArray[Any]], path: Path, dtype: Any, size: int) -> None:
    """Write one npy file of `size` numbers, piece by piece. Raises DataError if the pieces have another size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with storage_errors(path.parent, doing=_DOING), path.open("wb") as file:
        header = {"descr": npy.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": (size,)}
        npy.write_array_header_1_0(file, header)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, dtype).data)
            written += len(piece)
    if written != size:
        raise DataError(f"{path}: {written:,} numbers in its parts, expected {size:,}; a part is missing")
