"""Options that several commands share, and how their values are read."""

import shlex
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.errors import ConfigError, FilterError
from recsys.extras import install

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="the pipeline.toml of the job", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="override a setting, for example `model.factors=64`; can be repeated"
    ),
]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="GATES",
        help="publish although these gates refuse, this once: `users,catalogue`; docs/nights.md names them",
    ),
]
IgnoreForecast = Annotated[
    bool, typer.Option("--ignore-forecast", help="go on although the job seems not to fit into this machine")
]


def store_of(given: "str | Path") -> "Path | RemotePath":
    """What `--store` names; a default is a path already.

    Raises ConfigError if it is the address of something else than an object store.
    """
    from recsys.address import Address, is_address
    from recsys.config.base import check_store_address
    from recsys.remote import SCHEMES, RemotePath

    if not is_address(text := str(given)):
        if (scheme := text.partition(":/")[0].lower()) != text and scheme in SCHEMES:
            raise ConfigError(f"--store {text}: is no address; expected two slashes: {scheme}://")
        return Path(text)
    path = RemotePath(Address(text))
    try:
        check_store_address(path)
    except ValueError as error:
        raise ConfigError(f"--store {error}") from None
    return path


if TYPE_CHECKING:
    from recsys.remote import RemotePath

    AnyStore = Path | RemotePath
else:
    AnyStore = Path  # typer takes no unions; `store_of` makes both
STORE_HELP = "folder of the published versions, or its address: s3://bucket/folder, gs://, abfs://"
Store = Annotated[
    AnyStore, typer.Option("--store", parser=store_of, metavar="DIR|URL", help=STORE_HELP, show_default=False)
]
Count = Annotated[int, typer.Option("-k", min=1, max=1000, help="length of a list")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document on standard output")]
LogFormat = Annotated[
    str | None,
    typer.Option(
        "--log-format",
        metavar="auto|text|json",
        help="of standard error: text has the time before every line, json one object per line; "
        "default: $RECSYS_LOG_FORMAT, or auto: text without the time on a terminal",
        show_default=False,
    ),
]
Condition = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="CONDITION",
        help="list only items whose attributes meet this condition, for example `price < 20`; see docs/filters.md",
    ),
]


def parse_overrides(assignments: Iterable[str] | None) -> dict[str, Any]:
    """The values of `--set section.key=value` by their dotted keys, for `load_config`.

    A value is TOML, or else plain text. Raises ConfigError if there is no `=` or no key.
    """
    return dict(map(_parse, assignments or ()))


def _parse(assignment: str) -> tuple[str, Any]:
    key, equals, text = assignment.partition("=")
    if not equals or not all(key.strip().split(".")):
        raise ConfigError(f"--set {assignment}: expected section.key=value, such as model.factors=64")
    return key.strip(), _value(text.strip())


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def with_forecast(assignments: Iterable[str] | None, *, ignored: bool) -> list[str]:
    """The overrides, with that of --ignore-forecast."""
    return [*(assignments or ()), *(["resources.check_forecast=false"] if ignored else [])]


def command_line(path: Path, assignments: Iterable[str] | None) -> str:
    """The path of a configuration and its overrides, quoted for a shell."""
    return shlex.join([str(path), *(part for each in assignments or () for part in ("--set", each))])


def names_of(given: Iterable[str] | None) -> list[str]:
    """The names in "one,two" texts."""
    return [name.strip() for text in given or () for name in text.split(",") if name.strip()]


@contextmanager
def marked_filter_errors(condition: str | None) -> Iterator[None]:
    """Turn a FilterError about `condition` into a ConfigError that marks the place."""
    try:
        yield
    except FilterError as error:
        raise ConfigError(f"--{error.pointing(condition or '')}") from error


def require_extra(extra: str, *modules: str) -> None:
    """Raise ConfigError that says which optional `extra` to install if any of `modules` is missing."""
    if missing := [module for module in modules if find_spec(module) is None]:
        raise ConfigError(f"{' and '.join(missing)} not installed; {install(extra)}")
