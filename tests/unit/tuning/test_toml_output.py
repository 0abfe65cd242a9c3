"""The configuration that was found, written into the user's own."""

import stat
from pathlib import Path
from typing import Any

import pytest

from recsys.errors import ConfigError
from recsys.pipeline_config import load_config
from recsys.tuning.settings import Settings, applied
from recsys.tuning.toml_output import Tuned, write_copy, write_in_place

TEXT = """# a shop
[log]
paths = ["events/*.csv",   # ours
         "$RECSYS_DATA_DIR/more.csv"]
timestamp = "time"
event = "kind"

[log.event_weights]
view = 1.0            # a look

# chosen by hand
[model]
factors = 32          # few items
alpha = 3.0

# [index]: as it is

[publish]
store = "store"
"""

FOUND: Settings = {
    "model": {"alpha": 12.5, "iterations": 3},
    "log": {"event_weights": {"view": 1.0, "buy": 4.0}},
    "prepare": {"half_life_days": 45.0},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.toml"
    path.write_text(TEXT)
    return path


def tuned(path: Path, settings: Settings = FOUND, given: dict[str, Any] | None = None) -> Tuned:
    given = given or {}
    return Tuned(load_config(path, overrides=given), given, settings, ["by a test", "twice as good"])


def test_only_the_settings_change_and_comments_stay_where_they_are(path: Path) -> None:
    expected = applied(load_config(path), FOUND)
    write_in_place(path, tuned(path))
    assert load_config(path) == expected
    head, _, body = path.read_text().partition("# a shop\n")
    assert head == "# tuned: by a test\n# tuned: twice as good\n"
    changed = TEXT.partition("# a shop\n")[2]
    changed = changed.replace("alpha = 3.0\n", "alpha = 12.5\niterations = 3\n")
    changed = changed.replace("# a look\n", "# a look\nbuy = 4.0\n")
    assert body == changed + "\n[prepare]\nhalf_life_days = 45.0\n"


def test_notes_are_replaced_not_piled_up(path: Path) -> None:
    write_in_place(path, tuned(path))
    once = path.read_text()
    write_in_place(path, tuned(path, {"model": {"alpha": 12.5}}))
    assert path.read_text() == once


def test_nothing_is_said_of_a_key_that_is_taken_out(path: Path) -> None:
    path.write_text(TEXT + "[prepare]\nhalf_life_days = 9\n")
    write_in_place(path, tuned(path, {"prepare": {"half_life_days": None}}))
    assert load_config(path).prepare.half_life_days is None
    assert "half_life" not in path.read_text()


@pytest.mark.parametrize(
    "model",
    ["model = { alpha = 3.0 }\n", "model.alpha = 3.0\nmodel.factors = 8\n", "", "[model]\n"],
    ids=["inline", "dotted", "missing", "empty"],
)
def test_however_the_section_is_spelt(path: Path, model: str) -> None:
    if model.startswith("["):
        path.write_text('[log]\npaths = ["a.csv"]\ntimestamp = "time"\n' + model)
    else:
        path.write_text(model + '[log]\npaths = ["a.csv"]\ntimestamp = "time"\n')
    settings: Settings = {"model": {"alpha": 2.0, "iterations": 3}}
    expected = applied(load_config(path), settings)
    write_in_place(path, tuned(path, settings))
    assert load_config(path) == expected


def test_line_ends_mode_and_links_stay(path: Path, tmp_path: Path) -> None:
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    write_in_place(link, tuned(link))
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert load_config(path).model.alpha == 12.5
    assert b"factors = 32          # few items\r\n" in path.read_bytes()


def test_a_file_that_was_changed_meanwhile_is_left_alone(path: Path) -> None:
    found = tuned(path)
    path.write_text(TEXT.replace("factors = 32", "factors = 64"))
    with pytest.raises(ConfigError, match="has changed since the search began"):
        write_in_place(path, found)
    assert path.read_text() == TEXT.replace("factors = 32", "factors = 64")


@pytest.mark.parametrize("items", ['"items.csv"', '["items.csv", "more/*.csv"]'])
def test_a_copy_elsewhere_means_the_same(path: Path, items: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_DATA_DIR", "/data")
    path.write_text(TEXT + f"[items]\npath = {items}\n")
    target = path.parent / "workspace" / "tune" / "tuned.toml"
    target.parent.mkdir(parents=True)
    expected = applied(load_config(path), FOUND)
    write_copy(target, path.read_text(), tuned(path))
    assert load_config(target) == expected
    assert "$RECSYS_DATA_DIR/more.csv" in target.read_text()
    assert "# few items" in target.read_text()


def test_what_was_set_on_the_command_line_is_in_the_copy(path: Path) -> None:
    given = {"model.factors": 64, "workspace": "elsewhere", "log.event_weights.view": 2.0}
    settings: Settings = {"model": {"alpha": 2.0}}
    expected = applied(load_config(path, overrides=given), settings)
    target = path.parent / "folder" / "tuned.toml"
    target.parent.mkdir()
    write_copy(target, path.read_text(), tuned(path, settings, given))
    assert load_config(target) == expected
    assert expected.model.factors == 64
