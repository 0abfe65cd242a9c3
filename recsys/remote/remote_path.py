"""RemotePath: a file, a folder or a pattern in an object store or on a web server, as a path."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property, total_ordering
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, unquote, urlsplit

from recsys.address import Address
from recsys.errors import ConfigError
from recsys.suggestions import nearest_name

S3, GCS, AZURE, WEB = "s3", "gs", "abfs", "https"

SCHEMES = {
    "s3": S3,
    "s3a": S3,
    "gs": GCS,
    "gcs": GCS,
    "abfs": AZURE,
    "abfss": AZURE,
    "https": WEB,
    "http": WEB,
}
"""The schemes of addresses of files, and the kind of store that each means."""

GLOB_SIGNS = "*?["
_OPTIONS = re.compile(r"\?([A-Za-z_]+=.*)$")
_ALLOWED = {
    S3: ("region", "endpoint_override", "scheme", "anonymous"),
    GCS: ("endpoint_override", "scheme", "anonymous"),
    AZURE: ("endpoint_override", "scheme"),
}
_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|\[?::1\]?")


@dataclass(frozen=True)
class FileState:
    """How a file was when it was looked at. `modified`: nanoseconds since 1970, 0 if its store does not say.

    `version`: what the store names its content, such as an ETag; empty if it does not, or was not asked.
    """

    size: int
    modified: int = 0
    version: str = ""

    def may_differ(self, other: "FileState") -> bool:
        """Whether the content of the two may differ; False only if size and either version or time are the same."""
        if self.version and other.version:
            return (self.size, self.version) != (other.size, other.version)
        return not self.modified or (self.size, self.modified) != (other.size, other.modified)


@dataclass(frozen=True)
class Target:
    """What a resolved address consists of; it may hold secrets. `key`: below the bucket, as it is in the store.

    `options`: how to connect, from `?name=value` at the end; of a web address, all of it stays in `url`.
    """

    kind: str
    url: str
    login: str
    host: str
    key: str
    options: tuple[tuple[str, str], ...]


@total_ordering
@dataclass(frozen=True, eq=False)
class RemotePath:
    """A path in an object store, or one file on a web server.

    `address`: as a person wrote it; a pattern if a part of its path has glob signs. `below`: the names under the part
    of the address before its first glob sign; None is the address as it is written. `state`: of a file that was found
    by listing. `copy`: one on this machine, to read instead. Two paths are equal if they mean the same place.
    `str` never shows a secret.
    """

    address: Address
    below: str | None = None
    state: FileState | None = field(default=None, repr=False)
    copy: Path | None = field(default=None, repr=False)

    @cached_property
    def target(self) -> Target:
        """The address, resolved and taken apart. Raises ConfigError if it cannot be, or is not one of files."""
        return _target(self.address)

    def check(self) -> None:
        """Raise ConfigError if the address cannot be resolved, or is not one of files."""
        _target(self.address)

    @cached_property
    def key(self) -> str:
        """The path within the bucket or on the server."""
        key = self.target.key
        return key if self.below is None else "/".join(part for part in (_fixed(key), self.below) if part)

    @cached_property
    def location(self) -> PurePosixPath:
        """Where it lies, as a path below scheme and bucket; not for messages."""
        container = self.target.login if self.target.kind == AZURE else ""
        return PurePosixPath("/", f"{self.target.kind}:", self.target.host, container, self.key)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.key).name

    @property
    def suffix(self) -> str:
        """The ending of its name, with the dot."""
        return PurePosixPath(self.key).suffix

    @property
    def folder_names(self) -> tuple[str, ...]:
        """The names of the folders that it is in."""
        return PurePosixPath(self.key).parts[:-1]

    @property
    def pattern(self) -> tuple[str, ...]:
        """The parts of its path from the first one with glob signs on; empty if it is no pattern."""
        if self.below is not None or self.target.kind == WEB:
            return ()
        fixed = _fixed(self.target.key)
        return tuple(part for part in self.target.key[len(fixed) :].split("/") if part)

    def root(self) -> "RemotePath":
        """The folder that a pattern starts in."""
        return replace(self, below="")

    def __truediv__(self, name: str) -> "RemotePath":
        return replace(self, below=f"{self.below}/{name}" if self.below else name, state=None)

    def with_state(self, state: FileState) -> "RemotePath":
        """The same file, as it was found."""
        return replace(self, state=state)

    def with_copy(self, copy: Path) -> "RemotePath":
        """The same file, to be read from a copy."""
        return replace(self, copy=copy)

    def hide(self, message: str) -> str:
        """`message` without the secrets of the address."""
        return self.address.hide(message)

    def __str__(self) -> str:
        shown = str(self.address)
        if self.below is None:
            return shown
        head, slashes, rest = shown.partition("://")
        container, _, key = _without_options(rest).partition("/")  # a hidden password is no glob sign
        start = f"{head}{slashes}{container}/{_fixed(key)}" if slashes else shown
        return f"{start.rstrip('/')}/{self.below}" if self.below else start

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and self.location == other.location

    def __lt__(self, other: "RemotePath") -> bool:
        return self.location < other.location

    def __hash__(self) -> int:
        return hash(self.location)


def _fixed(key: str) -> str:
    """The part of a path before its first name with glob signs."""
    parts = key.split("/")
    at = next((at for at, part in enumerate(parts) if any(sign in part for sign in GLOB_SIGNS)), len(parts))
    return "/".join(parts[:at])


def _without_options(text: str) -> str:
    return _OPTIONS.sub("", text)


def _target(address: Address) -> Target:
    url = address.resolved()
    head, _, rest = url.partition("://")
    kind = SCHEMES.get(head.lower())
    if kind is None:
        raise ConfigError(f"{address}: unknown scheme{_meant(head)}; expected {', '.join(SCHEMES)}, or a path")
    return _web_target(address, url) if kind == WEB else _object_target(address, url, kind, rest)


def _meant(scheme: str) -> str:
    nearest = nearest_name(scheme.lower(), SCHEMES)
    return f" {scheme!r}; did you mean {nearest}://?" if nearest else f" {scheme!r}"


def _web_target(address: Address, url: str) -> Target:
    split = urlsplit(url)
    if split.scheme.lower() == "http" and not _LOOPBACK.fullmatch(split.hostname or ""):
        raise ConfigError(f"{address}: a file over http:// may be changed on its way; expected https://")
    if not split.hostname or not split.path.strip("/") or split.path.endswith("/"):
        raise ConfigError(f"{address}: expected the address of one file, because web servers have no folders")
    return Target(WEB, url, "", split.netloc.rpartition("@")[2], unquote(split.path).lstrip("/"), ())


def _object_target(address: Address, url: str, kind: str, rest: str) -> Target:
    found = _OPTIONS.search(rest)
    options = tuple(parse_qsl(found[1], keep_blank_values=True)) if found else ()
    for name, _ in options:
        if name not in _ALLOWED[kind]:
            raise ConfigError(f"{address}: unknown option {name!r}; expected {', '.join(_ALLOWED[kind])}")
    bucket, _, key = _without_options(rest).partition("/")
    login, _, host = bucket.rpartition("@")
    if not host:
        raise ConfigError(f"{address}: names no bucket; expected {kind}://bucket/folder/file")
    return Target(kind, url, login, host, "/".join(part for part in key.split("/") if part), options)
