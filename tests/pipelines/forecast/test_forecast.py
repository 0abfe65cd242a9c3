"""`recsys doctor CONFIG`: the counts it assumes, the disk it needs, what it says where a job does not fit."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands.doctor import judge
from pipelines.forecast.forecast import Forecast, advise, forecast
from pipelines.forecast.job_size import SampledSurvey, job_size
from pipelines.forecast.steps import job_memory
from pipelines.forecast.timing import index_seconds
from recsys.data.cleaning import build_matrix
from recsys.data.event_weights import EventWeights
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.survey import survey_log
from recsys.data.synthetic import SyntheticLog
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

Finished = tuple[PipelineConfig, SyntheticLog, dict[str, Any]]
STEPS = ["prepare", "evaluate", "train", "index", "publish"]


@pytest.fixture(scope="module")
def found(finished: Finished) -> Forecast:
    return forecast(finished[0], quick=False, progress=silent)


def _bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class TestCounts:
    def test_rows_and_ids_are_those_of_the_log(self, found: Forecast, finished: Finished) -> None:
        rows = finished[2].prepare.rows
        assert (found.size.rows, found.size.events) == (rows.rows_read, rows.accepted)
        assert found.size.accepted == rows.accepted + rows.merged

    def test_the_matrix_is_what_cleaning_leaves(self, found: Forecast, finished: Finished) -> None:
        cleaning = finished[2].prepare.cleaning
        assert found.size.n_users == cleaning.n_users
        assert found.size.n_items == cleaning.n_items
        assert found.size.entries == pytest.approx(cleaning.entries, rel=0.01)

    def test_the_cut_is_that_of_evaluation(self, found: Forecast, finished: Finished) -> None:
        counts = finished[2].evaluate.split.counts
        assert found.size.train_share * found.size.events == pytest.approx(counts["n_train_events"], rel=0.02)
        assert found.size.train_users == pytest.approx(counts["n_train_users"], rel=0.02)
        assert found.size.eval_users == pytest.approx(counts["n_eval_users"], rel=0.15)  # some did nothing new

    @pytest.mark.parametrize(("setting", "least"), [("min_user_items", 25), ("min_item_users", 25)])
    def test_a_bound_on_activity_takes_as_many(self, shop: Path, setting: str, least: int) -> None:
        config = load_config(shop, overrides={f"prepare.{setting}": least})
        weights = EventWeights.of(config.log, config.prepare)
        matrix, _ = build_matrix(
            read_log(FileSource.of(config.log), config.log, deduplicate=True)[0], config.prepare, weights=weights
        )
        size = forecast(config, quick=False, progress=silent).size
        # One round of what cleaning repeats until nothing changes, and users and items apart.
        assert size.n_users == pytest.approx(matrix.n_users, rel=0.02)
        assert size.n_items == pytest.approx(matrix.n_items, rel=0.15)
        assert size.entries == pytest.approx(matrix.csr.nnz, rel=0.1)


class TestSplits:
    @pytest.mark.parametrize("split", ["last_n", "held_out_users"])
    def test_every_split_is_reckoned(self, shop: Path, split: str) -> None:
        config = load_config(shop, overrides={"evaluate.split": split})
        size = forecast(config, quick=False, progress=silent).size
        assert 0.5 < size.train_share < 1
        assert 0 < size.eval_users <= size.n_users


class TestQuick:
    def test_a_log_of_one_look_is_counted(self, finished: Finished, found: Forecast) -> None:
        assert forecast(finished[0], quick=True, progress=silent).size == found.size

    def test_the_rest_of_a_longer_one_is_extrapolated(self, finished: Finished, found: Forecast) -> None:
        size = forecast(finished[0], quick=True, quick_rows=4_000, progress=silent).size
        assert not size.measured
        assert size.rows == pytest.approx(found.size.rows, rel=0.02)
        assert size.users == pytest.approx(found.size.users, rel=0.15)
        assert size.items == pytest.approx(found.size.items, rel=0.15)


class TestIndexSeconds:
    """A million items of 64 factors that few events were seen of: the index may take only a share of the training."""

    def seconds(self, found: Forecast, config: PipelineConfig, n_items: int, **index: Any) -> float:
        size = replace(found.size, n_items=n_items)
        model = config.model.model_copy(update={"factors": 64})
        section = config.index.model_copy(update=index)
        return index_seconds(size, config.model_copy(update={"model": model, "index": section}))

    def test_the_choice_takes_a_share_of_the_training(self, found: Forecast, finished: Finished) -> None:
        small, large = (self.seconds(found, finished[0], 1_000_000, training_share=share) for share in (0.001, 0.002))
        least = self.seconds(found, finished[0], 1_000_000, kind="exact")
        assert 0 < large - least == pytest.approx(2 * (small - least))

    def test_a_small_catalogue_stays_exact_and_a_family_by_name_is_built(
        self, found: Forecast, finished: Finished
    ) -> None:
        exact = self.seconds(found, finished[0], 1_000_000, kind="exact")
        assert self.seconds(found, finished[0], 1_000) == exact
        assert self.seconds(found, finished[0], 1_000, kind="ivf_sq8") > exact
        by_name = self.seconds(found, finished[0], 1_000_000, kind="ivf_sq8", training_share=0.001)
        assert by_name > self.seconds(found, finished[0], 1_000_000, training_share=0.001)


class TestDisk:
    def test_workspace_and_version_are_as_large_as_they_come(self, found: Forecast, finished: Finished) -> None:
        config = finished[0]
        steps = sum(_bytes_of(config.workspace / step) for step in STEPS)
        assert steps < found.workspace < 2 * steps  # a step that is run again writes beside its old output
        version = next((config.publish.store / "versions").iterdir())
        assert found.version == pytest.approx(_bytes_of(version), rel=0.35)  # most of this small one is headers


class TestJudgement:
    def test_what_fits_is_fine(self, found: Forecast) -> None:
        findings = judge(found)
        assert [finding.name for finding in findings] == ["assumed", *STEPS, "service", "disk"]
        assert found.fine
        assert all(finding.fine for finding in findings)

    def test_every_problem_has_a_remedy(self, found: Forecast) -> None:
        findings = judge(replace(found, available=1.0, disk_free=1))
        assert [finding.name for finding in findings if finding.remedy] == [*STEPS, "service", "disk"]

    def test_too_little_memory_is_not_and_says_what_to_change(self, finished: Finished) -> None:
        config = load_config(
            finished[0].workspace.parent / "pipeline.toml", overrides={"evaluate.baselines": ["popular", "ease"]}
        )
        found = forecast(config, quick=False, available=2.0**26, progress=silent)
        train = next(finding for finding in judge(found) if finding.name == "train")
        assert not found.fine
        assert not train.fine
        assert "but only 64 MiB available: Python and libraries" in train.detail
        assert found.to_dict()["fine"] is False

    def test_advice_is_the_forecast_with_another_setting(self, finished: Finished) -> None:
        with_ease = finished[0].evaluate.model_copy(update={"baselines": ("popular", "ease")})
        config = finished[0].model_copy(update={"evaluate": with_ease})
        surveyed = SampledSurvey.of(survey_log(FileSource.of(config.log), config.log))
        rows = surveyed.survey.rows
        (advice,) = advise(surveyed, config, rows=rows, resident=0)
        assert advice.setting == "evaluate.baselines without 'ease'"
        left = config.model_copy(update={"evaluate": with_ease.model_copy(update={"baselines": ("popular",)})})
        steps = job_memory(job_size(surveyed, left, rows=rows), left, resident=0)
        assert advice.size == max(step.size for step in steps)


class TestCommand:
    def test_the_table_names_what_was_assumed_and_every_step(self, recsys: Any, shop: Path) -> None:
        result = recsys("doctor", shop)
        assert result.returncode == 0, result.stderr
        for word in ("rows", "users", "items", "(counted)", *STEPS, "service", "disk", "the job peaks at"):
            assert word in result.stdout

    def test_json_is_one_document(self, recsys: Any, shop: Path) -> None:
        tree = json.loads(recsys("doctor", shop, "--json").stdout)
        assert [step["step"] for step in tree["memory"]["steps"]] == STEPS
        for step in tree["memory"]["steps"]:
            assert step["peak"] == sum(step["terms"].values())
        assert tree["assumed"]["users"] > 250
        assert tree["memory"]["peak"] == max(step["peak"] for step in tree["memory"]["steps"])

    def test_a_setting_on_the_command_line_counts(self, recsys: Any, shop: Path) -> None:
        plain, larger = (
            json.loads(recsys("doctor", shop, "--json", *more).stdout)
            for more in ((), ("--set", "model.factors=512"))
        )
        assert larger["disk"]["version"] > 2 * plain["disk"]["version"]

    def test_a_wrong_configuration_is_2(self, recsys: Any, shop: Path) -> None:
        shop.write_text(shop.read_text().replace("factors =", "factor ="))
        result = recsys("doctor", shop)
        assert (result.returncode, result.stdout) == (2, "")
        assert "did you mean 'factors'?" in result.stderr

    def test_a_log_that_is_not_there_is_2(self, recsys: Any, shop: Path) -> None:
        shop.write_text(shop.read_text().replace("events/*.csv", "nothing/*.csv"))
        assert recsys("doctor", shop).returncode == 2


def test_settings_that_a_night_chooses_count_as_the_largest(shop: Path) -> None:
    def of(**model: object) -> Forecast:
        overrides = {f"model.{key}": value for key, value in model.items()}
        return forecast(load_config(shop, overrides=overrides), quick=False, progress=silent)

    text = shop.read_text(encoding="utf-8")
    shop.write_text(text.replace("factors = 8\n", ""), encoding="utf-8")
    chosen, largest, small = of(auto=True), of(factors=8), of(factors=2)
    assert chosen.service.size >= largest.service.size > small.service.size  # 120 items may get 8 factors
    assert chosen.seconds["evaluate"] > 10 + largest.seconds["evaluate"] / 2


class TestContent:
    def test_encode_is_forecast_with_time_and_the_bytes_in_a_version(self, shop: Path, found: Forecast) -> None:
        sources = [
            {"encoder": "tfidf", "columns": ["title"], "dimension": 16},
            {"encoder": "attributes", "columns": ["genre"], "dimension": 64},
        ]
        config = load_config(shop, overrides={"content": sources})
        with_content = forecast(config, quick=False, progress=silent)
        assert [step.step for step in with_content.steps] == ["prepare", "encode", *STEPS[1:]]
        vectors = 4 * (16 + 64) * with_content.size.mapped_items
        assert with_content.version == found.version + vectors
        assert with_content.service.size == found.service.size + vectors
        assert with_content.seconds["encode"] > 0
        assert "encode" in [finding.name for finding in judge(with_content)]
        assert "content" not in found.to_dict()["assumed"]

    def test_a_source_that_cannot_be_tried_counts_with_its_setting(self, shop: Path) -> None:
        sources = [{"encoder": "tfidf", "columns": ["title"], "min_items": 10_000, "dimension": 32}]
        found = forecast(load_config(shop, overrides={"content": sources}), quick=False, progress=silent)
        assert found.size.content is not None
        assert found.size.content.width == 32
