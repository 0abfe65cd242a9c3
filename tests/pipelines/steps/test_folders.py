"""prepare on folders, as warehouses write them: partitions, markers, parts without rows, a file under two names."""

import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps.checks import check_folders
from pipelines.steps.inputs import changed_inputs
from pipelines.steps.run import run
from pipelines.steps.summaries import PrepareSummary
from recsys.errors import ConfigError, DataError
from recsys.pipeline_config import parse_config
from recsys.progress import silent


def prepare(folder: Path, **log: Any) -> PrepareSummary:
    tree = {"workspace": "work", "log": {"paths": ["events"], "timestamp": "date", **log}}
    tree["items"] = {"path": ["catalogue"], "title": "name", "attributes": ["country"]}
    return run(parse_config(tree, base=folder), steps=("prepare",), progress=silent).prepare


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two days of events and a day without any, beside markers; a catalogue in two countries."""
    for day in (1, 2):
        rows = [f"u{n % 5},i{n * day % 4}" for n in range(20)]
        write(tmp_path / f"events/date=2024-01-0{day}/part-0.csv", "user,item", *rows)
    write(tmp_path / "events/date=2024-01-03/part-0.csv")
    write(tmp_path / "events/_SUCCESS")
    write(tmp_path / "events/date=2024-01-01/_temporary/0/part-0.csv", "user,item", "half,i1")
    write(tmp_path / "catalogue/country=fr/items.csv", "item,name", "i0,Bol", "i1,Tasse")
    write(tmp_path / "catalogue/country=de/items.csv", "item,name", "i2,Dose", "i9,Glas")
    return tmp_path


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def test_a_folder_is_a_log(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "events" / "newest").symlink_to("date=2024-01-02")
    found = prepare(folder)
    assert found.rows.rows_read == found.rows.accepted == 40
    assert found.newest_event == 1_704_153_600
    assert found.items_without_events == 1
    assert found.files is not None
    assert found.files.model_dump() == {"read": 3, "without_rows": 1, "repeated": 1}
    assert "1 of 3 files without rows; 1 files left out, which are others under a second name" in found.sentence()
    told = "\n".join(record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert "date=2024-01-03/part-0.csv" in told
    assert str(folder / "events" / "newest" / "part-0.csv") in told
    assert json.loads((folder / "work/prepare/step.json").read_text())["summary"]["files"]["read"] == 3


def test_whole_files_are_not_mentioned(folder: Path) -> None:
    found = prepare(folder, paths=["events/date=2024-01-0[12]"])
    assert "files" not in found.sentence()


def test_if_no_part_has_rows_the_log_holds_none(folder: Path) -> None:
    with pytest.raises(DataError, match=r"date=2024-01-03/part-0\.csv: holds no rows"):
        prepare(folder, paths=["events/date=2024-01-03"])


@pytest.mark.parametrize("held", ["events/date=2024-01-02/part-0.csv", "events", "link.csv"])
def test_a_held_out_file_is_not_in_the_log(folder: Path, held: str) -> None:
    (folder / "link.csv").symlink_to("events/date=2024-01-02/part-0.csv")
    tree = {
        "log": {"paths": ["events"], "timestamp": "date"},
        "evaluate": {"split": "given", "holdout_paths": [held]},
    }
    with pytest.raises(DataError, match=r"is in evaluate\.holdout_paths and in log\.paths"):
        run(parse_config(tree, base=folder), steps=("prepare",), progress=silent)


@pytest.mark.parametrize("paths", [["events"], ["."], ["catalogue", "events/"]])
@pytest.mark.parametrize("key", ["workspace", "store"])
def test_a_job_does_not_read_what_it_writes(folder: Path, paths: list[str], key: str) -> None:
    workspace, store = ("events/work", "store") if key == "workspace" else ("work", "events/date=1/store")
    tree = {
        "workspace": workspace,
        "publish": {"store": store},
        "log": {"paths": paths, "timestamp": "date"},
    }
    with pytest.raises(
        ConfigError, match=r"(workspace|store): .* is in .*, so that the next run would read what this one"
    ):
        run(parse_config(tree, base=folder), steps=("prepare",), progress=silent)
    assert not (folder / "events" / "work").exists()
    hidden = {**tree, "workspace": "events/.work", "publish": {"store": "events/_store"}}
    if paths == ["events"]:
        assert run(parse_config(hidden, base=folder), steps=("prepare",), progress=silent).prepare.rows.accepted == 40


def test_a_file_of_a_partition_that_is_new_is_named_with_its_folder(folder: Path) -> None:
    prepare(folder)
    write(folder / "events/date=2024-01-04/part-0.csv", "user,item", "u1,i1")
    tree = {"workspace": "work", "log": {"paths": ["events"], "timestamp": "date"}}
    (changed,) = changed_inputs(parse_config(tree, base=folder), folder / "work" / "prepare")
    assert "date=2024-01-04/part-0.csv is new" in changed


@pytest.mark.parametrize(("pattern", "refused"), [("**/*.jsonl", True), ("**/*", True), ("**/*.csv", False)])
def test_a_pattern_that_would_find_the_files_of_a_job_is_refused(folder: Path, pattern: str, refused: bool) -> None:
    config = parse_config({"workspace": "work", "log": {"paths": [pattern], "timestamp": "date"}}, base=folder)
    if refused:
        with pytest.raises(ConfigError, match="the next run would read what this one writes"):
            check_folders(config)
    else:
        check_folders(config)


def test_what_a_job_makes_is_its_owners_alone(folder: Path) -> None:
    prepare(folder)
    assert [stat.S_IMODE((folder / name).stat().st_mode) for name in ("work", "store")] == [0o700, 0o700]
