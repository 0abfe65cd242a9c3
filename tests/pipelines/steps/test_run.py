"""The whole job, on a log whose every planted fault is known."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from pipelines.steps.run import run
from pipelines.steps.summaries import JobSummary, PrepareSummary
from pipelines.steps.workspace import STEPS, Workspace
from recsys.artifacts.lock import exclusive
from recsys.artifacts.registry import Registry
from recsys.data.synthetic import SyntheticLog
from recsys.engine import Engine
from recsys.errors import ArtifactError, DataError, GateError
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

Finished = tuple[PipelineConfig, SyntheticLog, JobSummary]


class TestAWholeNight:
    def test_every_row_is_accounted_for(self, finished: Finished) -> None:
        _, log, done = finished
        rows = done.prepare.rows
        assert rows.rows_read == rows.accepted + sum(rows.refused.values()) + rows.merged
        assert rows.accepted == 9_000
        assert sum(rows.refused.values()) + rows.merged == sum(log.planted.values())

    def test_the_bot_is_left_out_by_name(self, finished: Finished) -> None:
        _, _, done = finished
        assert done.prepare.cleaning.removed["user_above_max_events"] > 900

    def test_the_model_finds_the_planted_tastes(self, finished: Finished) -> None:
        _, _, done = finished
        means = done.evaluate.means
        assert means["als"] > 1.3 * means["popular"]

    def test_the_report_holds_every_model_with_intervals(self, finished: Finished) -> None:
        config, _, _ = finished
        report = json.loads((config.workspace / "report.json").read_text())
        assert set(report["models"]) == {"als", "popular", "item_knn"}
        figures = report["models"]["als"]["ndcg@20"]
        assert figures["low"] < figures["mean"] < figures["high"]
        assert report["verdict"] == "accepted"
        assert report["version"] == Registry(config.publish.store).current()
        for name in ("report.md", "report.html"):
            assert f"Version {report['version']}." in (config.workspace / name).read_text()
        assert report["index"]["recall@100"] == 1.0
        assert (config.workspace / "report.md").read_text().startswith("# Evaluation report")

    def test_the_published_version_serves_titles(self, finished: Finished) -> None:
        config, _, done = finished
        engine = Engine(Registry(config.publish.store).load())
        assert engine.version == done.publish.version
        answer = engine.recommend(engine.user_ids.id_at(0), k=5)
        assert answer.user_status == "known"
        assert all(item.title for item in answer.items)
        assert engine.item(answer.items[0].item_id).attributes.keys() == {"genre", "price"}

    def test_the_quarantine_names_file_and_line(self, finished: Finished) -> None:
        config, _, done = finished
        rows = [json.loads(line) for line in (config.workspace / "quarantine.jsonl").read_text().splitlines()]
        assert len(rows) == sum(done.prepare.rows.refused.values())
        assert all(Path(row["source"]).exists() and row["position"] > 1 for row in rows)


class TestACatalogueWithMoreItemsThanTheLog:
    def test_they_are_items_without_a_vector_that_no_list_holds(self, shop: Path) -> None:
        path = shop.parent / "items.csv"
        names = path.read_text(encoding="utf-8").splitlines()[0].split(",")
        rows = [dict.fromkeys(names, "") | {"item_id": new, "title": "Unread"} for new in ("a-new-one", "z-new-one")]
        with path.open("a", encoding="utf-8") as catalogue:
            csv.DictWriter(catalogue, names).writerows(rows)
        config = load_config(shop)
        done = run(config, progress=silent)
        assert done.prepare.items_without_events == 2
        assert done.prepare.sentence().endswith("; 2 more items in the catalogue")
        assert done.train.n_items == done.prepare.cleaning.n_items + 2
        engine = Engine(Registry(config.publish.store).load())
        view = engine.item("a-new-one")
        assert (view.title, view.has_vector) == ("Unread", False)
        for user in range(0, len(engine.user_ids), 10):
            answer = engine.recommend(engine.user_ids.id_at(user), k=200)
            assert not {"a-new-one", "z-new-one"} & {item.item_id for item in answer.items}
            assert len(answer.items) > 50

    def test_a_catalogue_that_has_no_item_of_the_log_is_a_warning(
        self, shop: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(load_config(shop, overrides={"items.id": "title"}), steps=("prepare",), progress=silent)
        assert "none of its 120 items is in the log" in caplog.text
        assert "from column 'title' (items.id)" in caplog.text


class TestAgain:
    def test_the_same_log_gives_the_same_version(self, shop: Path, finished: Finished) -> None:
        done = run(load_config(shop), progress=silent)
        assert done.publish.version == finished[2].publish.version

    def test_another_seed_gives_another_version(self, shop: Path, finished: Finished) -> None:
        done = run(load_config(shop, overrides={"model.seed": 2}), progress=silent)
        assert done.publish.version != finished[2].publish.version

    def test_resuming_needs_only_what_the_steps_before_left(self, shop: Path, finished: Finished) -> None:
        config = load_config(shop)
        for step in STEPS:
            done = run(config, steps=(step,), progress=silent)
        assert done.publish.version == finished[2].publish.version


class TestTwoAtOnce:
    def test_the_second_run_in_a_workspace_is_turned_away(self, shop: Path) -> None:
        config = load_config(shop)
        config.workspace.mkdir()
        with (
            exclusive(config.workspace / ".lock", doing="running in this workspace"),
            pytest.raises(ArtifactError, match=r"another process \(pid \d+ on \S+ since \S+\) is running"),
        ):
            run(config, steps=("prepare",), progress=silent)

    def test_running_again_says_that_nothing_changed(self, published: Path, finished: Finished) -> None:
        assert not finished[2].publish.unchanged
        config = load_config(published)
        assert run(config, progress=silent).publish.unchanged
        assert run(config, steps=("publish",), progress=silent).publish.unchanged


class TestOutOfOrder:
    def test_a_step_without_its_previous_says_what_to_run(self, shop: Path) -> None:
        with pytest.raises(DataError, match="run `recsys prepare CONFIG` first"):
            run(load_config(shop), steps=("evaluate",), progress=silent)

    def test_changed_settings_are_noticed(self, shop: Path) -> None:
        run(load_config(shop), steps=("prepare",), progress=silent)
        changed = load_config(shop, overrides={"prepare.min_user_items": 3})
        with pytest.raises(DataError, match=r"\[log\] or \[items\] or \[prepare\] has changed"):
            run(changed, steps=("evaluate",), progress=silent)

    def test_a_changed_log_makes_later_outputs_stale(self, shop: Path) -> None:
        config = load_config(shop)
        run(config, steps=STEPS[:3], progress=silent)
        (shop.parent / "events" / "2026-01.csv").unlink()
        run(config, steps=("prepare",), progress=silent)
        with pytest.raises(DataError, match="made from an earlier run of prepare"):
            run(config, steps=("index",), progress=silent)

    def test_a_step_that_fails_keeps_its_earlier_output(self, shop: Path) -> None:
        config = load_config(shop)
        before = run(config, steps=("prepare",), progress=silent).prepare.rows
        shutil.rmtree(shop.parent / "events")
        with pytest.raises(DataError):
            run(config, steps=("prepare",), progress=silent)
        assert Workspace(config.workspace).summary(PrepareSummary).rows == before

    def test_a_damaged_record_is_named(self, shop: Path) -> None:
        config = load_config(shop)
        run(config, steps=("prepare",), progress=silent)
        (config.workspace / "prepare" / "step.json").write_text("{}")
        with pytest.raises(
            DataError, match=r"step\.json: not the record of a step; run `recsys prepare CONFIG` again"
        ):
            run(config, steps=("evaluate",), progress=silent)


class TestBeforeTheLogIsRead:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"items.path": "nowhere.csv"}, r"nowhere\.csv: no such file"),
            ({"items.title": "nothing"}, "nothing"),
            ({"evaluate.split": "given", "evaluate.holdout_paths": ["nowhere.csv"]}, r"nowhere\.csv: no such file"),
        ],
    )
    def test_a_catalogue_or_a_holdout_that_cannot_be_read_is_named(
        self, shop: Path, given: dict[str, object], expected: str
    ) -> None:
        stages: list[str] = []
        with pytest.raises(DataError, match=expected):
            run(load_config(shop, overrides=given), progress=lambda stage, done, total: stages.append(stage))
        assert "read" not in stages


class TestGates:
    def test_a_night_whose_version_cannot_be_sealed_has_its_report_all_the_same(self, shop: Path) -> None:
        config = load_config(shop)
        config.publish.store.mkdir()
        (config.publish.store / "versions").write_text("in the way")
        with pytest.raises(ArtifactError, match="could not be written"):
            run(config, progress=silent)
        report = json.loads((config.workspace / "report.json").read_text())
        assert (report["verdict"], report["version"]) == ("accepted", None)
        assert Registry(config.publish.store).current() is None

    def test_a_worse_model_is_refused_and_the_old_one_serves(self, published: Path, finished: Finished) -> None:
        config, serving = load_config(published), finished[2].publish.version
        worse = load_config(published, overrides={"model.regularization": 1e6})
        with pytest.raises(GateError, match="ndcg@20"):
            run(worse, progress=silent)
        assert Registry(config.publish.store).current() == serving
        report = json.loads((config.workspace / "report.json").read_text())
        assert (report["verdict"], report["version"]) == ("refused", None)
