"""Settings given on the command line: `--set section.key=value`."""

import tomllib
from collections.abc import Iterable
from typing import Any

from recsys.errors import ConfigError


def parse_overrides(assignments: Iterable[str]) -> dict[str, Any]:
    """Dotted keys and their values, for `load_config`; a value is TOML, or bare text. Raises ConfigError."""
    return dict(_parse(assignment) for assignment in assignments)


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
