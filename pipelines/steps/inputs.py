"""What prepare read, files or tables, and what changed in it since."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from recsys.data.ingest.configured import Input, holdout_input, items_input, log_input
from recsys.data.ingest.file_source import FileSource
from recsys.errors import DataError
from recsys.evaluation.number_format import count
from recsys.evaluation.provenance import Summary
from recsys.pipeline_config import PipelineConfig

FILE = "inputs.json"
"""In the folder of prepare: an `InputFile` per file, an `InputPart` per table."""

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


class InputPart(Summary):
    """One part of an input that is no file, such as a table. `mark`: as `Input.marks` gave it before it was read."""

    what: str
    part: str
    mark: str


_RECORD = TypeAdapter(tuple[InputFile | InputPart, ...])


def sources_of(config: PipelineConfig) -> dict[str, Input]:
    """What prepare reads, by what it is."""
    found = {"log": log_input(config.log)}
    if config.items is not None:
        found["catalogue"] = items_input(config.items)
    if (holdout := holdout_input(config.evaluate, config.log)) is not None:
        found["holdout"] = holdout
    return found


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


Sources = Mapping[str, Input]
"""What prepare reads, by what it is."""


def _files(sources: Sources) -> dict[str, FileSource]:
    return {what: each for what, each in sources.items() if isinstance(each, FileSource)}


@dataclass(frozen=True)
class Snapshot:
    """The state of `sources`, taken before they are read: size and time by file, and the other parts."""

    sources: Sources
    state: Mapping[Path, tuple[int, int]]
    parts: tuple[InputPart, ...]

    @staticmethod
    def of(sources: Sources) -> "Snapshot":
        """Look at every file and table. Raises DataError if one is missing."""
        files = _files(sources)
        state = {path: _state(path) for source in files.values() for path in source.files}
        others = {what: each for what, each in sources.items() if what not in files}
        return Snapshot(sources, state, tuple(part for what, each in others.items() for part in _parts(what, each)))

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
            for what, source in _files(self.sources).items()
            for path, digest in source.digests.items()
        )
        (folder / FILE).write_bytes(_RECORD.dump_json((*files, *self.parts)))


def _parts(what: str, source: Input) -> Iterator[InputPart]:
    yield from (InputPart(what=what, part=part, mark=mark) for part, mark in source.marks().items())


def changed_inputs(config: PipelineConfig, folder: Path) -> tuple[str, ...]:
    """What changed since prepare wrote `folder`, one sentence per kind of input; empty if prepare has not run."""
    try:
        recorded = _RECORD.validate_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        raise DataError(f"{folder / FILE}: not a record of input files: {error}") from error
    changes = {what: list(_changes(what, source, recorded)) for what, source in sources_of(config).items()}
    return tuple(_sentence(what, each) for what, each in changes.items() if each)


def _changes(what: str, source: Input, recorded: tuple[InputFile | InputPart, ...]) -> Iterator[str]:
    if isinstance(source, FileSource):
        files = (each for each in recorded if isinstance(each, InputFile))
        yield from _changed_files(source, {file.path: file for file in files if file.what == what})
    else:
        parts = (each for each in recorded if isinstance(each, InputPart))
        yield from _changed_parts(source, {each.part: each.mark for each in parts if each.what == what})


def _changed_parts(source: Input, before: Mapping[str, str]) -> Iterator[str]:
    """What the database knows of its tables; a change may be to rows that the query leaves out."""
    try:
        now = source.marks()
    except DataError as error:  # the steps after prepare do without it
        log.warning("whether the database has changed since prepare read it is not known: %s", error)
        return
    for part in sorted({*before, *now}):
        if part not in now:
            yield f"{part} is gone"
        elif part not in before:
            yield f"{part} is new"
        elif before[part] != now[part]:
            yield f"{part} was written to"


def _changed_files(source: FileSource, before: Mapping[Path, InputFile]) -> Iterator[str]:
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
