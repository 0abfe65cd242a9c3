"""What is said of a file that pydantic refuses repeats nothing of it."""

import ast
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from recsys.address import check_field
from recsys.engine.scenarios import read_scenarios
from recsys.errors import ConfigError
from recsys.validation_errors import explained

ROOT = Path(__file__).parents[2]


class _Record(BaseModel, extra="forbid"):
    user_id: int
    share: float
    name: str = ""


def test_places_and_what_was_expected_are_told_and_no_value() -> None:
    with pytest.raises(ValidationError) as refused:
        _Record.model_validate({"user_id": "secret-id", "share": "secret-share"})
    told = explained(refused.value)
    assert "secret" not in told
    assert told.startswith("user_id: expected a valid integer")
    assert "; share: expected a valid number" in told


def test_many_problems_are_counted() -> None:
    with pytest.raises(ValidationError) as refused:
        _Record.model_validate({"user_id": "a", "share": "b", "name": 1, "x": 2, "y": 3})
    assert explained(refused.value).endswith("; and 2 more")


def test_no_message_shows_an_error_of_pydantic_as_it_is() -> None:
    handlers = 0
    for path in (path for folder in ("recsys", "pipelines", "api") for path in (ROOT / folder).rglob("*.py")):
        for handler in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(handler, ast.ExceptHandler) or handler.type is None or handler.name is None:
                continue
            if "ValidationError" not in ast.unparse(handler.type):
                continue
            handlers += 1
            shown = [it for it in ast.walk(handler) if isinstance(it, ast.FormattedValue)]
            texts = {ast.unparse(it.value) for it in shown}
            assert not texts & {handler.name, f"str({handler.name})"}, f"{path}:{handler.lineno}"
    assert handlers > 10


def test_what_came_is_told_where_it_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "scenarios.toml").write_text('[[scenarios.home.rows]]\nkind = "populr"\n')
    with pytest.raises(ConfigError, match=r"scenarios\.home\.rows\.0\.kind: got 'populr'; expected 'for_you'"):
        read_scenarios(tmp_path / "scenarios.toml")
    with pytest.raises(ValueError, match=r"got 'postgresql:/u:\*\*\*@h'; expected a URL"):
        check_field("postgresql:/u:hunter2@h")
