"""ByStore: a setting that has one value, or one per store: `stores/shop`, or `shop=stores/shop,blog=stores/blog`."""

import re
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from recsys.address import Address, is_address

UNNAMED = ""
"""Name of the only store of a service that names none."""

_NAME = "[a-z0-9][a-z0-9_-]{0,62}"
_NAMED = re.compile(f"{_NAME}=")
_NEXT = re.compile(f",(?={_NAME}=)")


class ByStore:
    """Texts by store; without names, that of the only store.

    `text` is in the form of the command line: a name is up to 63 lower-case letters, digits, `-` and `_`. A path that
    itself looks like `name=...` is written `./name=...`. Raises ValueError.
    """

    def __init__(self, text: str) -> None:
        pairs = [part.partition("=") for part in _NEXT.split(text)] if _NAMED.match(text) else [(UNNAMED, "", text)]
        self._values: Mapping[str, str] = {name: value for name, _, value in pairs}
        if len(self._values) < len(pairs):
            raise ValueError("expected each name once")
        if not all(self._values.values()):
            raise ValueError("expected a value, or name=value for each of several stores")

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order given; `UNNAMED` alone if there are none."""
        return tuple(self._values)

    @property
    def are_named(self) -> bool:
        """Whether the values are given per store."""
        return UNNAMED not in self._values

    def of(self, name: str) -> str | None:
        """The value of the store `name`, None if it has none."""
        return self._values.get(name)

    def __str__(self) -> str:
        """The form of the command line, which `ByStore` reads back."""
        return ",".join(f"{name}={value}" if name else value for name, value in self._values.items())

    def __repr__(self) -> str:
        """Without passwords and keys of addresses."""
        shown = {name: str(Address(value)) if is_address(value) else value for name, value in self._values.items()}
        return f"{type(self).__name__}({shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByStore) and self._values == other._values

    def __hash__(self) -> int:
        return hash(str(self))

    @classmethod
    def _checked(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, str | PathLike):
            return cls(fspath(value))
        raise ValueError("expected a text, or name=text for each of several stores")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """As a setting: read from text or a path."""
        return core_schema.no_info_plain_validator_function(
            cls._checked, serialization=core_schema.to_string_ser_schema()
        )


def joined(arguments: list[str], options: tuple[str, ...]) -> list[str]:
    """`arguments`, in which each of `options` that is given several times stands once, its values joined by commas.

    Raises ValueError if one of the several has no name.
    """
    found: dict[str, list[str]] = {option: [] for option in options}
    rest, waiting = [], iter(arguments)
    for argument in waiting:
        option, equals, value = argument.partition("=")
        if option not in found or (not equals and (value := next(waiting, None)) is None):  # type: ignore[assignment]
            rest.append(argument)
        else:
            found[option].append(value)
    for option, values in found.items():
        if len(values) > 1 and not all(map(_NAMED.match, values)):
            raise ValueError(f"{option}: given {len(values)} times; expected a name for each: {option} NAME=VALUE")
    return [*rest, *(part for option, values in found.items() if values for part in (option, ",".join(values)))]
