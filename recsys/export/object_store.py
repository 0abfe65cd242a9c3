"""Lists as one object of an object store: s3://, gs://, abfs://, through the file systems of pyarrow."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from pyarrow import fs

from recsys.address import Address
from recsys.errors import ConfigError, ExportError
from recsys.export.formats import format_of
from recsys.export.target import ListWriter

_SCHEMES = {"gcs": "gs", "abfss": "abfs"}


@dataclass(frozen=True)
class ObjectTarget:
    """An object, whose ending says the format.

    It is uploaded in parts under a name of its own (`.NAME.partial`), and then takes the place of the old one. Parts
    are no object before the last one, so a killed export leaves none; the unfinished upload is removed by the store's
    lifecycle rules, if it has some.
    """

    address: Address

    def __str__(self) -> str:
        return str(self.address)

    @property
    def lasts(self) -> bool:
        """See `Target`."""
        return True

    def check(self) -> None:
        """See `Target`."""
        scheme, _, rest = self.address.resolved().partition("://")
        path = PurePosixPath(rest.partition("?")[0])
        if not path.suffix:
            raise ConfigError(f"{self}: expected an object with an ending, as {scheme}://bucket/folder/lists.parquet")
        format_of(path.name, shown=str(self))

    def scrub(self) -> None:
        """An object that was replaced is gone, unless its bucket keeps old versions."""

    @contextmanager
    def open(self, version: str) -> Iterator[ListWriter]:
        """See `Target`."""
        self.check()
        store, path = self._place()
        make_writer = format_of(path, shown=str(self))
        partial = str(PurePosixPath(path).with_name(f".{PurePosixPath(path).name}.partial"))
        with self._errors():
            try:
                with store.open_output_stream(partial) as file, make_writer(file) as writer:
                    yield writer
                _move(store, partial, path)
            except BaseException:
                with suppress(OSError):
                    store.delete_file(partial)
                raise

    def _place(self) -> tuple[fs.FileSystem, str]:
        """The file system and the path within it. Raises ConfigError."""
        scheme, _, rest = self.address.resolved().partition("://")
        try:
            store, path = fs.FileSystem.from_uri(f"{_SCHEMES.get(scheme, scheme)}://{rest}")
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self}: {self._said(error)}") from None
        return store, path

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ExportError(f"{self}: {self._said(error)}; the object is as it was") from None

    def _said(self, error: Exception) -> str:
        return self.address.hide(" ".join(str(error).split()))


def _move(store: fs.FileSystem, source: str, destination: str) -> None:
    """Rename an object; a store that cannot rename copies."""
    try:
        store.move(source, destination)
    except NotImplementedError:
        store.copy_file(source, destination)
        store.delete_file(source)
