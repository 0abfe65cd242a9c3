"""fetch: download a data set by its card, verify and convert it, and only then move whole files into place."""

import hashlib
import http.client
import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.datasets.cards import Card, Download, find_card
from pipelines.datasets.unpack import unpack
from recsys.data.synthetic import write_synthetic_log
from recsys.errors import DataError
from recsys.progress import Progress, silent

_log = logging.getLogger(__name__)

_BLOCK = 1 << 20
_TIMEOUT_SECONDS = 60

Opener = Callable[[str], Any]
"""Opens a URL as a binary stream with `headers`; raises OSError if it cannot."""


@dataclass(frozen=True)
class Fetched:
    """The folder of a data set. `made`: False if everything was there already."""

    folder: Path
    made: bool

    def __str__(self) -> str:
        return str(self.folder)


def open_url(url: str) -> Any:
    """Open a URL for reading."""
    request = urllib.request.Request(url, headers={"User-Agent": "recsys"})
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        raise


def fetch_dataset(
    name: str, *, data_dir: Path, progress: Progress = silent, again: bool = False, opener: Opener = open_url
) -> Fetched:
    """Bring a data set into `data_dir`/`name`; nothing happens if its files are there, unless `again`.

    A download saved in that folder by hand is used instead of the network. Raises ConfigError for
    an unknown name; DataError that says what to do if a download fails or is not what the card says.
    """
    return fetch_card(find_card(name), data_dir=data_dir, progress=progress, again=again, opener=opener)


def fetch_card(
    card: Card, *, data_dir: Path, progress: Progress = silent, again: bool = False, opener: Opener = open_url
) -> Fetched:
    """`fetch_dataset` for a card that is already read."""
    folder = data_dir / card.name
    if not again and not card.missing(folder):
        return Fetched(folder, made=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A temporary folder inside: moving files out of it is a rename, so a file is there whole or not at all.
        with TemporaryDirectory(prefix=".fetch-", dir=folder) as made:
            _make(card, folder, Path(made), progress, opener)
            _move_in(Path(made), folder)
    except OSError as error:
        raise DataError(f"{card.name}: cannot write to {folder}: {error}") from error
    return Fetched(folder, made=True)


def _make(card: Card, folder: Path, made: Path, progress: Progress, opener: Opener) -> None:
    if card.recipe is not None:
        write_synthetic_log(made, **card.recipe.model_dump(), progress=progress)
    for download in card.downloads:
        by_hand = folder / download.file_name
        path = by_hand if by_hand.is_file() else made / ".download"
        if path != by_hand:
            _download(card, download, by_hand, path, progress, opener)
        _verify(download, path)
        try:
            for file in download.files:
                unpack(path, file, made / file.name, progress=progress)
        except DataError as error:
            raise DataError(f"{download.url}: {error}") from error
        (made / ".download").unlink(missing_ok=True)


def _move_in(made: Path, folder: Path) -> None:
    for path in sorted(path for path in made.rglob("*") if path.is_file()):
        target = folder / path.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def _download(card: Card, download: Download, by_hand: Path, path: Path, progress: Progress, opener: Opener) -> None:
    try:
        with closing(opener(download.url)) as response, path.open("wb") as out:
            size = response.headers.get("Content-Length")
            total = int(size) if size else download.size
            for block in iter(lambda: response.read(_BLOCK), b""):
                out.write(block)
                progress(f"download {download.file_name}", out.tell(), total)
        if size and path.stat().st_size != int(size):
            raise OSError(f"the connection ended after {path.stat().st_size} of {size} bytes")
    except (OSError, http.client.HTTPException) as error:
        raise DataError(_instructions(card, download, by_hand, error)) from error


def _instructions(card: Card, download: Download, by_hand: Path, error: Exception) -> str:
    kind, known = download.checksum
    check = f"its {kind} is {known}" if known else "no checksum of it is published"
    return (
        f"{card.name}: {download.url} cannot be downloaded: {error}\n"
        f"By hand: save that URL as {by_hand} ({check}), then run `recsys fetch {card.name}` again; "
        f"it uses the saved file."
    )


def _verify(download: Download, path: Path) -> None:
    kind, wanted = download.checksum
    came = _digest(path, kind)
    if wanted is None:
        _log.warning("%s is unverified, no checksum of it is published; its sha256 is %s", download.url, came)
    elif came != wanted:
        raise DataError(
            f"{download.url}: the {kind} of the download is {came}, expected {wanted}; "
            f"it is damaged, or another file is published there now (read from {path})"
        )


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
