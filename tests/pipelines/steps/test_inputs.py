"""Input files that changed since prepare read them are noticed by the steps that go on from there."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.steps.inputs import Snapshot, changed_inputs, sources_of
from pipelines.steps.run import run
from pipelines.steps.workspace import STEPS
from recsys.errors import DataError
from recsys.pipeline_config import load_config
from recsys.progress import silent


def _newest(folder: Path) -> Path:
    return sorted((folder / "events").iterdir())[-1]


def _shrink(folder: Path) -> None:
    path = folder / "items.csv"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:11]))


def _alter(folder: Path) -> None:
    """The same size; a new time even if the clock of the disk is coarse."""
    path = folder / "items.csv"
    path.write_bytes(path.read_bytes().replace(b"0", b"1"))
    os.utime(path, ns=(1, 1))


def _append(folder: Path) -> None:
    path = _newest(folder)
    path.write_bytes(path.read_bytes() + b"\n")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a smaller catalogue": (_shrink, "the catalogue has changed since prepare read it: items.csv has "),
    "a catalogue of the same size": (_alter, "items.csv has another content of the same size"),
    "more rows": (_append, "the log has changed since prepare read it: 2026-10.csv has "),
    "another file": (lambda folder: (folder / "events" / "z.csv").write_bytes(b"user_id\n"), "read it: z.csv is new"),
    "a file less": (lambda folder: _newest(folder).unlink(), "2026-10.csv is gone"),
    "no catalogue": (lambda folder: (folder / "items.csv").unlink(), "items.csv is gone"),
    "no log": (lambda folder: shutil.rmtree(folder / "events"), "2026-01.csv is gone, 2026-02.csv is gone, "),
    "another holdout": (lambda folder: (folder / "held.csv").write_bytes(b"user"), "the holdout has changed"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_named(shop: Path, name: str) -> None:
    change, said = CHANGES[name]
    (shop.parent / "held.csv").write_bytes(b"user,item\n")
    given = {"evaluate.split": "given", "evaluate.holdout_paths": ["held.csv"]}
    config = load_config(shop, overrides=given)
    Snapshot.of(sources_of(config)).save(shop.parent)
    assert changed_inputs(config, shop.parent) == ()
    change(shop.parent)
    (sentence,) = changed_inputs(config, shop.parent)
    assert said in sentence


def test_files_that_were_only_touched_are_the_same(shop: Path) -> None:
    config = load_config(shop)
    Snapshot.of(sources_of(config)).save(shop.parent)
    for path in shop.parent.rglob("*.csv"):
        os.utime(path, ns=(1, 1))
    assert changed_inputs(config, shop.parent) == ()


def test_a_file_that_changes_while_it_is_read_is_told_and_known_as_changed(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_config(shop)
    snapshot = Snapshot.of(sources_of(config))
    _alter(shop.parent)
    snapshot.save(shop.parent)
    assert "items.csv changed while it was read" in caplog.text
    (sentence,) = changed_inputs(config, shop.parent)
    assert "items.csv has another content of the same size" in sentence


def test_going_on_from_an_old_prepare_is_told_and_a_whole_run_reads_again(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_config(shop)
    first = run(config, progress=silent).publish
    same = run(config, steps=STEPS[4:], progress=silent).publish
    assert same.sentence().endswith("serves already: settings, log, catalogue and vectors are equal to its own")
    _shrink(shop.parent)
    stale = run(config, steps=STEPS[4:], progress=silent).publish
    assert stale.version == first.version
    assert stale.sentence().endswith("its input files, which have changed since")
    (sentence,) = stale.changed_inputs
    assert sentence in caplog.text
    assert stale.outcome is not None
    assert (stale.outcome.light, stale.outcome.statements[0].text) == ("attention", sentence)
    assert sentence in (config.workspace / "report.html").read_text(encoding="utf-8")
    run(config, steps=STEPS[:1], progress=silent)
    with pytest.raises(DataError, match="made from an earlier run of prepare"):
        run(config, steps=STEPS[4:], progress=silent)


def test_warnings_of_a_step_are_in_the_report_of_every_later_publish(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (shop.parent / "events" / "2026-99.csv").write_bytes(b"")
    config = load_config(shop)
    run(config, progress=silent)
    (warning,) = [record.getMessage() for record in caplog.records if "2026-99.csv" in record.getMessage()]
    outcome = run(config, steps=STEPS[4:], progress=silent).publish.outcome
    assert outcome is not None
    assert outcome.light == "good"
    assert outcome.statements[-1].text == "one warning of prepare, listed in the report"
    report = json.loads((config.workspace / "report.json").read_text(encoding="utf-8"))
    assert report["warnings"] == {"prepare": [warning]}
    for name in ("report.md", "report.html"):
        assert f"prepare: {warning}" in (config.workspace / name).read_text(encoding="utf-8").replace("\\", "")
