"""Settings as the file they came from would say them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def toml_lines(settings: Mapping[str, Any]) -> Iterator[str]:
    """Plain values first, then the sections; what is not set is left out."""
    given = {key: value for key, value in settings.items() if value is not None}
    yield from (f"{key} = {_value(value)}" for key, value in given.items() if not isinstance(value, Mapping))
    for section, values in given.items():
        if isinstance(values, Mapping):
            yield f"[{section}]"
            yield from (f"{key} = {_value(value)}" for key, value in values.items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(part)}" for key, part in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
