"""Where the pictures of a catalogue lie: files of one folder, and URLs."""

import re
from dataclasses import dataclass
from pathlib import Path

from recsys.content.picture import PictureError
from recsys.content.picture_download import Downloads

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


@dataclass(frozen=True)
class PictureSource:
    """`folder`: holds all files; none outside of it is read. `downloads`: None if URLs are not fetched."""

    folder: Path
    most_bytes: int
    downloads: Downloads | None = None

    def read(self, place: str) -> bytes:
        """The bytes of a picture by its path, relative to the folder, or URL. Raises PictureError."""
        if _URL.match(place):
            if self.downloads is None:
                raise PictureError("a URL that is not fetched", f"{place}: set `urls = true` to fetch pictures")
            return self.downloads.fetch(place)
        path = self._path(place)
        try:
            if (n_bytes := path.stat().st_size) > self.most_bytes:
                detail = f"{path}: {n_bytes:,} bytes, more than {self.most_bytes:,}"
                raise PictureError("a file that is too large", detail)
            return path.read_bytes()
        except OSError as error:
            raise PictureError("a file that cannot be read", f"{path}: {error.strerror}") from error

    def state(self, place: str | None) -> str:
        """What changes if the file of a picture does: its size and time; empty for a URL or a missing file."""
        if not place or _URL.match(place):
            return ""
        try:
            told = self._path(place).stat()
        except (PictureError, OSError):
            return ""
        return f"{told.st_size} {told.st_mtime_ns}"

    def _path(self, place: str) -> Path:
        """The file of `place`, links resolved."""
        try:
            path = (self.folder / place).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
            raise PictureError("a file that cannot be read", f"{place[:200]!r}: {error}") from error
        if not path.is_relative_to(self.folder.resolve()):
            raise PictureError("a path outside the folder", f"{place[:200]!r}")
        if not path.is_file():
            raise PictureError("no such file", str(path))
        return path
