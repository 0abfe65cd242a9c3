"""A grocer's night: people take the same items again, and the lists that are measured are those that are served."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.artifacts.registry import Registry
from recsys.data.interactions import Interactions
from recsys.engine import Engine

CONFIG = """
workspace = "work"
[log]
paths = ["log.csv"]
timestamp = "time"
event = "kind"
{log}
[evaluate]
holdout = "7d"
cutoffs = [5, 20]
bootstrap = 50
{evaluate}
[model]
auto = false
factors = 8
iterations = 3
"""


def write(folder: Path, *, log: str = "", evaluate: str = "") -> Path:
    """Fifty customers, who buy their own eight products every week and look at two others."""
    rng, lines = np.random.default_rng(7), ["user,item,time,kind"]
    for user in range(50):
        own = rng.choice(40, 10, replace=False)
        for week in range(8):
            time = 1_600_000_000 + week * 604_800 + user
            lines += [f"u{user},i{item},{time},buy" for item in own[:8] if rng.random() < 0.7 or not week]
            lines += [f"u{user},i{item},{time},view" for item in own[8:] if week in (0, 7)]
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    path = folder / "pipeline.toml"
    path.write_text(CONFIG.format(log=log, evaluate=evaluate))
    return path


def engine_of(folder: Path) -> Engine:
    return Engine(Registry(folder / "store").load())


def test_a_grocers_lists_are_measured_and_served_with_what_people_had(
    tmp_path: Path, recsys: Callable[..., Any]
) -> None:
    path = write(tmp_path, evaluate="exclude_seen = false")
    assert recsys("run", path).returncode == 0
    report = json.loads((tmp_path / "work" / "report.json").read_text())
    assert report["split"]["dropped"] == {}
    assert report["split"]["exclude_seen"] is False
    assert report["models"]["als"]["recall@20"]["mean"] > 0.6
    assert "evaluate.exclude_seen = false" in (tmp_path / "work" / "report.md").read_text()
    engine = engine_of(tmp_path)
    assert engine.manifest.config["evaluate"]["exclude_seen"] is False  # type: ignore[index, call-overload]
    own = {item.item_id for item in engine.history("u1")}
    assert own & {item.item_id for item in engine.recommend("u1").items}
    assert not own & {item.item_id for item in engine.recommend("u1", exclude_seen=True).items}


def test_without_it_nearly_nothing_is_measured_and_the_console_says_what_to_do(
    tmp_path: Path, recsys: Callable[..., Any]
) -> None:
    ended = recsys("run", write(tmp_path))
    assert ended.returncode in (2, 3)
    assert "evaluate.exclude_seen = false" in ended.stderr


def test_what_was_only_viewed_is_still_listed(tmp_path: Path, recsys: Callable[..., Any]) -> None:
    settings = 'seen_events = ["buy"]\nevent_weights = {view = 1.0, buy = 3.0}'
    path = write(tmp_path, log=settings, evaluate="")
    ended = recsys("run", path, "--set", "publish.must_beat_popular=false")
    assert ended.returncode == 0, ended.stderr
    events = Interactions.load(tmp_path / "work" / "prepare" / "events")
    bought = {
        (events.users.id_at(int(user)), events.items.id_at(int(item)))
        for user, item, kind in zip(events.user_idx, events.item_idx, events.event, strict=True)  # type: ignore[arg-type]
        if events.event_names[kind] == "buy"
    }
    engine = engine_of(tmp_path)
    for user in ("u1", "u2", "u3"):
        listed = {item.item_id for item in engine.recommend(user, k=40).items}
        assert listed & {item.item_id for item in engine.history(user)}
        assert not listed & {item for owner, item in bought if owner == user}
    assert "seen by buy (log.seen_events)" in (tmp_path / "work" / "report.md").read_text()


def test_a_misspelt_kind_stops_prepare(tmp_path: Path, recsys: Callable[..., Any]) -> None:
    ended = recsys("prepare", write(tmp_path, log='seen_events = ["buyy"]'))
    assert ended.returncode == 2
    assert "did you mean 'buy'" in ended.stderr


@pytest.mark.parametrize("kind", ["veiw", "gift"])
def test_a_kind_to_ignore_that_the_log_does_not_have_is_a_warning(
    tmp_path: Path, recsys: Callable[..., Any], kind: str
) -> None:
    ended = recsys("prepare", write(tmp_path, log=f'ignore_events = ["{kind}"]'))
    assert ended.returncode == 0
    assert f"log.ignore_events: the log has no event of kind '{kind}'" in ended.stderr


def test_a_stray_clock_is_told_with_its_row_and_moves_nothing(tmp_path: Path, recsys: Callable[..., Any]) -> None:
    path = write(tmp_path, evaluate="exclude_seen = false")
    text = path.read_text().replace('holdout = "7d"\n', "")
    path.write_text(text)
    log = tmp_path / "log.csv"
    rows = log.read_text().splitlines()
    newest = max(int(row.split(",")[2]) for row in rows[1:])
    log.write_text("\n".join([*rows[:9], f"u3,i3,{newest + 10**8},buy", *rows[9:]]) + "\n")
    ended = recsys("run", path)
    assert ended.returncode == 0, ended.stderr
    assert "1 event far after the end of the log" in ended.stderr
    assert "log.csv:10)" in ended.stderr
    assert "the last 7d held out" in ended.stderr
    page = (tmp_path / "work" / "report.md").read_text()
    assert "1 event far after the end of the log" in page
    manifest = Registry(tmp_path / "store").load().manifest
    assert manifest.log["newest_event"] == newest
    assert manifest.config["evaluate"]["holdout"] == 7 * 86_400  # type: ignore[index, call-overload]
    again = recsys("run", path, "--set", "evaluate.holdout=604800")
    assert again.returncode == 0
    assert "measured differently" not in (tmp_path / "work" / "report.md").read_text()
