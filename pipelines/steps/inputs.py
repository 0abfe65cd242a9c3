"""What prepare read, files or tables, and what changed in it since."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from pydantic import TypeAdapter, ValidationError

from recsys.address import is_address
from recsys.data.ingest.configured import events_input, holdout_input, items_input, log_input
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.input import Input
from recsys.data.ingest.input_files import InputFile, sha256_of, state_of
from recsys.errors import DataError
from recsys.evaluation.number_format import count
from recsys.evaluation.provenance import Summary
from recsys.pipeline_config import PipelineConfig
from recsys.remote import FileState
from recsys.validation_errors import explained

FILE = "inputs.json"
"""In the folder of prepare: a `ReadFile` per file, an `InputPart` per table."""

READ_AGAIN = "`recsys run CONFIG --from prepare` reads it again"
"""What to do about a changed input."""

_SHOWN = 3

log = logging.getLogger(__name__)


class ReadFile(Summary):
    """One file as prepare read it. `what`: "log", "catalogue" or "holdout". `path`: as messages show it.

    `modified`: nanoseconds since 1970. `version`: the name that an object store has for its content.
    """

    what: str
    path: str
    size: int
    modified: int
    sha256: str
    version: str = ""

    def change(self, path: InputFile) -> str | None:
        """What happened to the file since, which is `path` now; None if its content is the same."""
        try:
            found = state_of(path)
            if found.size != self.size:
                return f"has {count(found.size)} bytes, it had {count(self.size)}"
            before = FileState(self.size, self.modified, self.version)
            same = not found.may_differ(before) or sha256_of(path) == self.sha256
        except DataError:
            return "is gone"
        return None if same else "has another content of the same size"


class InputPart(Summary):
    """One part of an input that is no file, such as a table. `mark`: as `Input.marks` gave it before it was read."""

    what: str
    part: str
    mark: str


_RECORD = TypeAdapter(tuple[ReadFile | InputPart, ...])


def sources_of(config: PipelineConfig) -> dict[str, Input]:
    """What prepare reads, by what it is."""
    found = {"log": log_input(config.log)}
    if (events := events_input(config.log)) is not None:
        found["events"] = events
    if config.items is not None:
        found["catalogue"] = items_input(config.items)
    if (holdout := holdout_input(config.evaluate, config.log)) is not None:
        found["holdout"] = holdout
    return found


Sources = Mapping[str, Input]
"""What prepare reads, by what it is."""


def _files(sources: Sources) -> dict[str, FileSource]:
    return {what: each for what, each in sources.items() if isinstance(each, FileSource)}


@dataclass(frozen=True)
class Snapshot:
    """The state of `sources`, taken before they are read: of the files, and of the other parts."""

    sources: Sources
    state: Mapping[InputFile, FileState]
    parts: tuple[InputPart, ...]

    @staticmethod
    def of(sources: Sources) -> "Snapshot":
        """Look at every file and table. Raises DataError if one is missing."""
        files = _files(sources)
        state = {path: state_of(path) for source in files.values() for path in source.files}
        others = {what: each for what, each in sources.items() if what not in files}
        return Snapshot(sources, state, tuple(part for what, each in others.items() for part in _parts(what, each)))

    def _sha256(self, path: InputFile, digest: str) -> str:
        """The digest of what was read; empty, with a warning, if the file changed meanwhile."""
        if state_of(path) == self.state[path]:
            return digest
        log.warning("%s changed while it was read; run prepare again when it is complete", path)
        return ""

    def save(self, folder: Path) -> None:
        """Write it, with the hash of every file, into the `folder` of prepare."""
        files = tuple(
            ReadFile(
                what=what,
                path=str(path),
                size=self.state[path].size,
                modified=self.state[path].modified,
                version=self.state[path].version,
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
        raise DataError(f"{folder / FILE}: not a record of input files: {explained(error)}") from error
    changes = {what: list(_changes(what, source, recorded)) for what, source in sources_of(config).items()}
    return tuple(_sentence(what, each) for what, each in changes.items() if each)


def _changes(what: str, source: Input, recorded: tuple[ReadFile | InputPart, ...]) -> Iterator[str]:
    if isinstance(source, FileSource):
        files = (each for each in recorded if isinstance(each, ReadFile))
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


def _changed_files(source: FileSource, before: Mapping[str, ReadFile]) -> Iterator[str]:
    try:
        found = {str(path): path for path in source.files}
    except DataError as error:  # a path that names no file any more, or a store that cannot be reached
        if any(is_address(path) for path in before):
            yield f"it cannot be looked at: {error}"
            return
        found = {}
    for file in before.values():
        gone = is_address(file.path) and file.path not in found
        if change := "is gone" if gone else file.change(found.get(file.path) or Path(file.path)):
            yield f"{_shown(file.path)} {change}"
    yield from (f"{_shown(path)} is new" for path in found if path not in before)


def _shown(path: str) -> str:
    """The file's name, with its folder if that is a partition, whose files have the same names."""
    folder, name = PurePath(path).parent.name, PurePath(path).name
    return f"{folder}/{name}" if "=" in folder else name


def _sentence(what: str, changes: list[str]) -> str:
    more = f", and {count(len(changes) - _SHOWN)} more" if len(changes) > _SHOWN else ""
    return f"the {what} has changed since prepare read it: {', '.join(changes[:_SHOWN])}{more}"
