"""Keys added to a file and taken out of it; what else is in it, comments too, stays as it is."""

import os
from datetime import date, datetime
from pathlib import Path

import tomlkit
from tomlkit.items import AoT

from recsys.api_keys.key_file import parse_keys, read_key_text
from recsys.api_keys.records import KeyRecord
from recsys.errors import ConfigError
from recsys.storage import storage_errors

_HEAD = "# Keys of the recommendation service: only their hashes. `recsys keys new|list|revoke` changes this file.\n"


def add_key(path: Path, record: KeyRecord) -> None:
    """Add a key to a file, which is made if there is none. Raises ConfigError if the name is taken."""
    text = read_key_text(path) if path.exists() else _HEAD
    if any(known.name == record.name for known in parse_keys(text, where=str(path))):
        raise ConfigError(f"{path}: has a key named {record.name!r}; expected another name, or revoke that one first")
    document = tomlkit.parse(text)
    if "key" not in document:
        document.add("key", tomlkit.aot())
    _keys_of(document).append(_table(record))
    _write(path, tomlkit.dumps(document))


def remove_key(path: Path, name: str) -> None:
    """Take the key `name` out of a file. Raises ConfigError if there is none of that name."""
    text = read_key_text(path)
    names = [record.name for record in parse_keys(text, where=str(path))]
    if name not in names:
        raise ConfigError(f"{path}: has no key named {name!r}; its keys are {', '.join(names) or 'none'}")
    document = tomlkit.parse(text)
    _keys_of(document).pop(names.index(name))
    if len(names) == 1:
        document.pop("key")
    _write(path, tomlkit.dumps(document) or _HEAD)


def _keys_of(document: tomlkit.TOMLDocument) -> AoT:
    keys = document["key"]
    if not isinstance(keys, AoT):
        raise ConfigError("key: is an inline array; expected [[key]] tables, which can be changed one by one")
    return keys


def _table(record: KeyRecord) -> tomlkit.items.Table:
    table = tomlkit.table()
    for name, value in record.model_dump(exclude_none=True).items():
        plain = value if isinstance(value, str | date | datetime) else [str(each) for each in value]
        table.add(name, plain)
    table.add(tomlkit.nl())
    return table


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, for its owner alone. A link stays a link: its file is replaced."""
    parse_keys(text, where=str(path))
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}.new")
    with storage_errors(target, doing="while the keys were written"):
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
