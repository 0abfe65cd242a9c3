"""The winner as TOML: the user's own file with the settings that were found; comments stay."""

import stat
import tomllib
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import tomlkit
from tomlkit.items import AbstractTable, InlineTable

from recsys.artifacts.files import replace_durably
from recsys.config import DATA_DIR_VARIABLE
from recsys.errors import ConfigError
from recsys.pipeline_config import PipelineConfig, parse_config
from recsys.remote import RemotePath
from recsys.tuning.settings import Settings, applied

_MARK = "# tuned: "


Table = MutableMapping[str, object]
Tree = Mapping[str, object]
"""Values, lists and tables by key; None marks a key that is taken out."""


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    `config`: what it began with, resolved. `given`: the part of it that `--set` gave, by dotted key. `settings`: what
    replaces it. `notes`: lines for the top of the file.
    """

    config: PipelineConfig
    given: Tree
    settings: Settings
    notes: Sequence[str]


def write_copy(target: Path, text: str, tuned: Tuned) -> None:
    """Write `text`, the configuration the search began with, to another folder; relative paths become absolute."""
    moved = _moved(tomllib.loads(_edited(text, [_nested(tuned.given)], ())), tuned.config)
    changes = [_nested(tuned.given), moved, tuned.settings]
    _write(target, _edited(text, changes, tuned.notes), tuned, base=target.parent)


def write_in_place(path: Path, tuned: Tuned) -> None:
    """Change the user's file as it is now, in one rename. Raises ConfigError if its settings changed meanwhile."""
    target = path.resolve()
    mode = stat.S_IMODE(target.stat().st_mode)
    text = _edited(target.read_bytes().decode(), [_nested(tuned.given), tuned.settings], tuned.notes)
    _write(target, text, tuned, base=path.absolute().parent)
    target.chmod(mode)


def _write(target: Path, text: str, tuned: Tuned, *, base: Path) -> None:
    """Write the text, after checking that it reads as the settings that were measured."""
    read = parse_config(tomllib.loads(text), base=base, source=str(target))
    if read != applied(tuned.config, tuned.settings):
        raise ConfigError(f"{target}: has changed since the search began; it is left as it is")
    replace_durably(target, text.encode())


def _edited(text: str, changes: Sequence[Tree], notes: Sequence[str]) -> str:
    """The TOML `text` with `changes` under new notes; the rest of it is not touched."""
    document = tomlkit.parse(_without_notes(text))
    for change in changes:
        _merge(document, change)
    return "".join(f"{_MARK}{note}\n" for note in notes) + tomlkit.dumps(document)


def _without_notes(text: str) -> str:
    lines = text.splitlines(keepends=True)
    while lines and lines[0].startswith(_MARK):
        del lines[0]
    return "".join(lines)


def _merge(table: Table, change: Tree) -> None:
    """Set what differs; None takes a key out."""
    for key, value in change.items():
        if isinstance(value, Mapping):
            if key not in table:
                _add(table, key, tomlkit.table())
            _merge(cast(Table, table[key]), value)
        elif value is None:
            table.pop(key, None)
        elif key not in table:
            _add(table, key, value)
        elif table[key] != value:
            table[key] = value


def _add(table: Table, key: str, value: object) -> None:
    """Add it after the last key: the blank lines and comments that follow belong to the next section."""
    if not isinstance(table, AbstractTable) or isinstance(table, InlineTable):
        table[key] = value
        return
    body = table.value.body
    tail = []
    while body and body[-1][0] is None:
        tail.append(body.pop())
    table.append(key, value)
    body.extend(reversed(tail))


def _moved(tree: Mapping[str, dict[str, list[str]]], config: PipelineConfig) -> Tree:
    """The paths that would mean something else in another folder, and those that have their defaults."""
    moved: dict[str, object] = {
        "workspace": str(config.workspace),
        "publish": {"store": config.publish.model_dump(mode="json")["store"]},
    }
    sections = (
        ("log", "paths", "source"),
        ("items", "path", "source"),
        ("evaluate", "holdout_paths", "holdout_source"),
    )
    for name, key, source in sections:
        section, values = tree.get(name, {}), getattr(config, name)
        if key in section:
            moved[name] = {key: _written(section[key], getattr(values, key))}
        elif source in section:  # whose path starts at the configuration's folder too
            moved[name] = {source: getattr(values, source).written}
    return moved


def _written(written: object, paths: Sequence[Path | RemotePath]) -> str | list[str]:
    """The paths as they are written, one alone or a list of them."""
    if isinstance(written, list):
        return _resolved(written, paths)
    return _resolved([str(written)], paths)[0]


def _resolved(written: Sequence[str], paths: Sequence[Path | RemotePath]) -> list[str]:
    keep = (f"${DATA_DIR_VARIABLE}", f"${{{DATA_DIR_VARIABLE}}}")
    return [
        text if isinstance(path, RemotePath) or text.startswith(keep) else str(path)
        for text, path in zip(written, paths, strict=True)
    ]


def _nested(given: Tree) -> Tree:
    """{"model.factors": 64} as {"model": {"factors": 64}}."""
    tree: dict[str, object] = {}
    for dotted, value in given.items():
        *sections, key = dotted.split(".")
        table = tree
        for section in sections:
            table = cast(dict[str, object], table.setdefault(section, {}))
        table[key] = value
    return tree
