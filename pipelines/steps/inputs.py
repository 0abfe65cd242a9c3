"""The files that prepare read, and what changed in them since."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from recsys.data.ingest.file_source import FileSource
from recsys.errors import DataError
from recsys.evaluation.number_format import count
from recsys.evaluation.provenance import Summary
from recsys.pipeline_config import PipelineConfig

FILE = "inputs.json"
"""In the folder of prepare: an `InputFile` per file."""

READ_AGAIN = "`recsys run CONFIG --from prepare` reads it again"
"""What to do about a changed input."""

_SHOWN = 3

log = logging.getLogger(__name__)


class InputFile(Summary):
    """One file as prepare read it. `what`: "log", "catalogue" or "holdout". `modified`: nanoseconds since 1970."""

    what: str
    path: Path
    size: int
    modified: int
    sha256: str

    def change(self) -> str | None:
        """What happened to the file since; None if its content is the same."""
        try:
            found = self.path.stat()
        except OSError:
            return "is gone"
        if found.st_size != self.size:
            return f"has {count(found.st_size)} bytes, it had {count(self.size)}"
        if found.st_mtime_ns == self.modified or FileSource((self.path,)).digests[self.path] == self.sha256:
            return None
        return "has another content of the same size"


_FILES = TypeAdapter(tuple[InputFile, ...])


def sources_of(config: PipelineConfig) -> dict[str, FileSource]:
    """What prepare reads, by what it is."""
    found = {"log": FileSource.of(config.log)}
    if config.items is not None:
        found["catalogue"] = FileSource.of_items(config.items)
    if config.evaluate.holdout_paths:
        found["holdout"] = FileSource(config.evaluate.holdout_paths, config.log)
    return found


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


Sources = Mapping[str, FileSource]
"""What prepare reads, by what it is."""


@dataclass(frozen=True)
class Snapshot:
    """The state of the files of `sources`, taken before they are read: size and time by file."""

    sources: Sources
    state: Mapping[Path, tuple[int, int]]

    @staticmethod
    def of(sources: Sources) -> "Snapshot":
        """Look at every file. Raises DataError if one is missing."""
        return Snapshot(sources, {path: _state(path) for source in sources.values() for path in source.files})

    def _sha256(self, path: Path, digest: str) -> str:
        """The digest of what was read; empty, with a warning, if the file changed meanwhile."""
        if _state(path) == self.state[path]:
            return digest
        log.warning("%s changed while it was read; run prepare again when it is complete", path)
        return ""

    def save(self, folder: Path) -> None:
        """Write it, with the hash of every file, into the `folder` of prepare."""
        files = tuple(
            InputFile(
                what=what,
                path=path,
                size=self.state[path][0],
                modified=self.state[path][1],
                sha256=self._sha256(path, digest),
            )
            for what, source in self.sources.items()
            for path, digest in source.digests.items()
        )
        (folder / FILE).write_bytes(_FILES.dump_json(files))


def changed_inputs(config: PipelineConfig, folder: Path) -> tuple[str, ...]:
    """What changed since prepare wrote `folder`, one sentence per kind of input; empty if prepare has not run."""
    try:
        recorded = _FILES.validate_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        raise DataError(f"{folder / FILE}: not a record of input files: {error}") from error
    changes = {what: list(_changes(what, source, recorded)) for what, source in sources_of(config).items()}
    return tuple(_sentence(what, each) for what, each in changes.items() if each)


def _changes(what: str, source: FileSource, recorded: tuple[InputFile, ...]) -> Iterator[str]:
    before = {file.path: file for file in recorded if file.what == what}
    for file in before.values():
        if change := file.change():
            yield f"{_shown(file.path)} {change}"
    try:
        found = source.files
    except DataError:  # a path that names no file any more: what is gone is said above
        return
    yield from (f"{_shown(path)} is new" for path in found if path not in before)


def _shown(path: Path) -> str:
    """The file's name, with its folder if that is a partition, whose files have the same names."""
    return f"{path.parent.name}/{path.name}" if "=" in path.parent.name else path.name


def _sentence(what: str, changes: list[str]) -> str:
    more = f", and {count(len(changes) - _SHOWN)} more" if len(changes) > _SHOWN else ""
    return f"the {what} has changed since prepare read it: {', '.join(changes[:_SHOWN])}{more}"
