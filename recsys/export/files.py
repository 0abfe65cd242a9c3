"""Lists as one file: Parquet, CSV or JSON lines."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from recsys.errors import ConfigError
from recsys.export.formats import format_of
from recsys.export.target import ListWriter
from recsys.storage import storage_errors


@dataclass(frozen=True)
class FileTarget:
    """A file, which appears whole or not at all. `called`: the option or key that names it, for messages."""

    path: Path
    called: str = "--out"

    def __str__(self) -> str:
        return str(self.path)

    @property
    def unfinished(self) -> Path:
        """The file that is written into until it is whole."""
        return self.path.with_name(f".{self.path.name}.partial")

    @property
    def lasts(self) -> bool:
        """See `Target`."""
        return True

    def check(self) -> None:
        """See `Target`: another ending, a folder that does not exist."""
        shown = f"{self.called} {self.path}"
        format_of(self.path.name, shown=shown)
        if not self.path.parent.is_dir():
            raise ConfigError(f"{shown}: the folder {self.path.parent} does not exist")

    def scrub(self) -> None:
        """A file that was replaced is gone."""

    @contextmanager
    def open(self, version: str) -> Iterator[ListWriter]:
        """See `Target`."""
        self.check()
        make_writer = format_of(self.path.name, shown=str(self))
        with (
            storage_errors(self.path, doing="while the lists were written"),
            _replacing(self.path, self.unfinished) as partial,
            pa.OSFile(str(partial), "wb") as file,
            make_writer(file) as writer,
            _behind(writer) as behind,
        ):
            yield behind


class _Behind:
    """Writes each table in a thread of `pool` while the caller makes the next one: two are in memory."""

    def __init__(self, writer: ListWriter, pool: ThreadPoolExecutor) -> None:
        self._writer, self._pool = writer, pool
        self._last: Future[None] | None = None

    def write(self, lists: pa.Table) -> None:
        """Hand `lists` over. Raises what went wrong with the table before."""
        self.finish()
        self._last = self._pool.submit(self._writer.write, lists)

    def finish(self) -> None:
        """Wait for the last table. Raises what went wrong with it."""
        if self._last is not None:
            self._last.result()


@contextmanager
def _behind(writer: ListWriter) -> Iterator[_Behind]:
    """`writer` in a thread of its own, done when the block ends."""
    with ThreadPoolExecutor(1) as pool:
        behind = _Behind(writer, pool)
        yield behind
        behind.finish()


@contextmanager
def _replacing(out: Path, partial: Path) -> Iterator[Path]:
    """A file `partial` to write into; it replaces `out` if the block ends well, and is removed if not."""
    try:
        yield partial
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
