"""Every number of a configuration and of the command line has a bound on both sides."""

import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import ValidationError

from pipelines.cli import app
from recsys.config import Section
from recsys.errors import ConfigError
from recsys.models.registry import ALGORITHMS
from recsys.pipeline_config import PipelineConfig, parse_config

BEYOND = (10**18, -(10**18))

CHECKED_BELOW = {"experiment"}
"""Commands whose numbers the library checks; tests/unit/experiments has the tests."""


def _sections(kind: type[Section] = Section) -> Iterator[type[Section]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith("recsys."):
            yield each
        yield from _sections(each)


def _with(annotation: Any, number: int) -> Any:
    """A value of the type with `number` in it; None if it holds no number."""
    if annotation in (int, float):
        return annotation(number)
    kinds = [kind for kind in typing.get_args(annotation) if kind is not Ellipsis]
    made = [each for each in (_with(kind, number) for kind in kinds) if each is not None]
    origin = typing.get_origin(annotation)
    if not made or origin in (typing.Literal, types.NoneType):
        return None
    if origin is tuple:
        return [made[0]] * len(kinds)
    return {"x": made[-1]} if origin is dict else made[0]


def _accepts(section: type[Section], key: str, value: Any) -> bool:
    try:
        section.model_validate({key: value})
    except ValidationError as error:
        return not any(problem["loc"][:1] == (key,) for problem in error.errors())
    return True


def test_every_number_of_the_configuration_is_bounded_on_both_sides() -> None:
    assert len(ALGORITHMS) > 5  # their sections are imported
    unbounded, n_tried = [], 0
    for section in set(_sections()):
        for key, field in section.model_fields.items():
            for number in BEYOND:
                if (value := _with(field.annotation, number)) is not None:
                    n_tried += 1
                    if _accepts(section, key, value):
                        unbounded.append(f"{section.__name__}.{key} = {value}")
    assert unbounded == []
    assert n_tried > 300


def test_every_number_of_the_command_line_is_bounded_on_both_sides() -> None:
    found = [(path, option) for path, option in _options(typer.main.get_command(app)) if path[0] not in CHECKED_BELOW]
    assert [(path, option.name) for path, option in found if None in (option.min, option.max)] == []
    assert {path[0] for path, _ in found} >= {"tune", "demo", "export", "prune"}


def _options(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from _options(inner, (*path, name))
    for option in getattr(command, "params", ()):
        if option.type_descriptor.annotation in (int, float):
            yield path, option


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("model", "threads", 100_000, "model.threads: got 100000; expected less than or equal to 1024"),
        ("model", "factors", 10**6, "model.factors: got 1000000; expected less than or equal to 4096"),
        ("evaluate", "bootstrap", 10**8, "evaluate.bootstrap: got 100000000; expected less than or equal to 100000"),
        ("evaluate", "cutoffs", [10**9], "evaluate.cutoffs.0: got 1000000000; expected less than or equal to 1000"),
        (
            "log",
            "connect_timeout",
            "1d",
            "log.connect_timeout: got 86400; expected less than or equal to 3600",
        ),
        ("log", "max_future", "1000000d", "log.max_future: got '1000000d'; expected at most '36500d'"),
    ],
)
def test_the_message_names_the_key_the_value_and_the_bound(section: str, key: str, value: Any, message: str) -> None:
    tree: dict[str, Any] = {"log": {"paths": "log.csv", "timestamp": "time"}}
    tree.setdefault(section, {})[key] = value
    with pytest.raises(ConfigError) as refused:
        parse_config(tree, base=Path.cwd())
    assert str(refused.value).splitlines()[0] == f"config: {message}"
    assert section in PipelineConfig.model_fields


def test_an_option_that_is_not_a_number_is_refused(recsys: Any) -> None:
    for option in ("--timeout", "--coverage-weight"):
        ended = recsys("tune", "pipeline.toml", option, "nan")
        assert ended.returncode == 2
        assert option in ended.stderr
