"""A file of API keys, in TOML: one `[[key]]` per key, with its hash."""

import stat
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys.api_keys.key_text import PREFIX, without_keys
from recsys.api_keys.records import MAX_KEYS, KeyRecord
from recsys.errors import ConfigError
from recsys.plain_files import read_plain

MAX_BYTES = 2**20
"""The longest file of keys."""


class _KeyFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    key: tuple[KeyRecord, ...] = Field((), max_length=MAX_KEYS)


def parse_keys(text: str, *, where: str) -> tuple[KeyRecord, ...]:
    """The keys in the text of a file. Raises ConfigError naming `where`, the key and its field, and no value."""
    if not text.strip():
        raise ConfigError(f"{where}: is empty; expected [[key]] tables, as `recsys keys new` writes them")
    try:
        found = _KeyFile.model_validate(tomllib.loads(text)).key
    except tomllib.TOMLDecodeError as error:
        place = str(error).rpartition(" (")[2].rstrip(")")  # the rest of the message may repeat what is there
        raise ConfigError(f"{where}: is not TOML ({place})") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {without_keys(place)}: {message}") from None
    _refuse_repeats([record.name for record in found], where, "name")
    _refuse_repeats([record.hash for record in found], where, "hash")
    return found


def _refuse_repeats(values: Sequence[str], where: str, field: str) -> None:
    for at, value in enumerate(values):
        if (first := values.index(value)) < at:
            raise ConfigError(f"{where}: key.{at}.{field}: is that of key.{first} too; expected one of its own")


def read_keys(path: Path) -> tuple[KeyRecord, ...]:
    """The keys of a file. Raises ConfigError."""
    return parse_keys(read_key_text(path), where=str(path))


def read_key_text(path: Path) -> str:
    """The text of a file of keys; a link is followed, because secrets are mounted as links. Raises ConfigError."""
    if PREFIX in path.name:
        raise ConfigError("expected the file of the keys' hashes, or its text; this is a key")
    try:
        return read_plain(path.resolve(strict=True), most=MAX_BYTES).decode("utf-8")
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise ConfigError(f"{path}: {reason}; `recsys keys new --file {path}` makes a file of keys") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8") from None


def too_open(path: Path) -> str | None:
    """What is wrong with who may read and write a file of keys, None if nothing is."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o077:
        return None
    may = "write: who may write it gives out keys" if mode & 0o022 else "read"
    return f"{path}: has mode {mode:04o}, so that others may {may}; expected 0600"
