"""Id parts: sorted ids in a file per part, joined into the id map of a version, file to file."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsys.data.arrow_file import write_arrow
from recsys.spark.limits import MOST, check_ids
from recsys.spark.whole_files import write_parquet
from recsys.storage import storage_errors

_DOING = "while ids were joined"


@dataclass(frozen=True)
class IdParts:
    """Files in `folder` by number, each with sorted ids that come after those of the file before."""

    folder: Path

    def write(self, number: int, ids: pa.Array) -> None:
        """Write one part: strings, or bytes that are UTF-8."""
        write_parquet(pa.table({"id": ids.cast(pa.binary())}), self.folder / f"{number:020d}.parquet")

    def _each(self) -> Iterator[pa.BinaryArray]:
        for path in sorted(self.folder.glob("*.parquet")):
            for batch in pq.ParquetFile(path).iter_batches(columns=["id"]):
                yield batch.column(0)

    def join(self, path: Path, *, what: str, most: int = MOST) -> None:
        """Write all ids as `IdMap.save` does, without holding them. `what`: whose they are, for messages.

        Raises DataError if they are more than `most`, or have more bytes in all.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        n_ids = n_bytes = 0
        with storage_errors(path.parent, doing=_DOING), ExitStack() as files:
            offsets, data = (files.enter_context(TemporaryFile(dir=path.parent)) for _ in range(2))
            offsets.write(np.zeros(1, np.int32).data)
            for ids in self._each():
                ends, text = _buffers(ids)
                check_ids(n_ids + len(ids), n_bytes + len(text), what, most=most)
                offsets.write((ends + np.int32(n_bytes)).data)
                data.write(text)
                n_ids, n_bytes = n_ids + len(ids), n_bytes + len(text)
            column = pa.StringArray.from_buffers(n_ids, _mapped(offsets), _mapped(data))
            write_arrow(pa.table({"id": column}), path)


def _buffers(ids: pa.BinaryArray) -> tuple[NDArray[Any], memoryview]:
    """Where each id ends, int32 (n,), and the bytes of all."""
    _, offsets, data = ids.buffers()
    bounds = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    if not len(ids) or data is None:
        return np.zeros(len(ids), np.int32), memoryview(b"")
    return bounds[1:] - bounds[0], memoryview(data)[bounds[0] : bounds[-1]]


def _mapped(file: IO[bytes]) -> pa.Buffer:
    file.flush()
    if file.tell() == 0:
        return pa.py_buffer(b"")
    return pa.py_buffer(np.memmap(file, np.uint8, "r"))
