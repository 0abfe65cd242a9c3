"""A whole night on Spark beside the same night on this machine: the same version, up to the order of sums."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.forgetting.forget import forget
from pipelines.forgetting.places import opened
from pipelines.forgetting.subject import subject
from pipelines.steps.run import run
from pipelines.steps.summaries import JobSummary
from recsys.artifacts.registry import Registry
from recsys.engine.opening import open_engine
from recsys.evaluation.results import Cohort, Evaluation
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent
from tests.byte_scan import found_in
from tests.pipelines.conftest import write_shop

SETTINGS = """
[publish]
must_beat_popular = false
min_users = 1
"""

FEWER_JOBS = {"model.solver": "compiled", "model.start": "random", "model.iterations": 2}
"""Each half-step on Spark is a job of a third of a second; the spectral start has tests of its own."""


@dataclass(frozen=True)
class Night:
    config: PipelineConfig
    done: JobSummary

    @property
    def folder(self) -> Path:
        return self.config.workspace

    def evaluated(self, name: str) -> Evaluation:
        return Evaluation.load(self.folder / "evaluate" / f"{name}.arrow")


@pytest.fixture(scope="session")
def nights(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Night, Night]:
    """One on this machine, one on Spark, of the same shop."""
    shop = tmp_path_factory.mktemp("nights")
    write_shop(shop)
    path = shop / "pipeline.toml"
    path.write_text(path.read_text("utf-8") + SETTINGS, encoding="utf-8")

    def night(engine: str, **settings: Any) -> Night:
        where = {"workspace": str(shop / engine), "publish.store": str(shop / engine / "store")}
        config = load_config(path, overrides={**where, **FEWER_JOBS, **settings})
        return Night(config, run(config, progress=silent))

    on_spark = {"compute.engine": "spark", "compute.block_entries": 2_500, "compute.scratch": str(shop / "scratch")}
    return night("local"), night("spark", **on_spark)


def test_prepare_counts_the_same(nights: tuple[Night, Night]) -> None:
    here, there = (night.done.prepare.model_dump(mode="json", exclude={"began_at"}) for night in nights)
    assert there == here


def test_the_same_users_are_evaluated_to_the_same_metrics(nights: tuple[Night, Night]) -> None:
    here, there = nights
    one, other = here.done.evaluate, there.done.evaluate
    assert other.split == one.split
    assert other.choice == one.choice
    assert other.means.keys() == one.means.keys()
    for name, metrics in one.metrics.items():
        assert other.metrics[name] == pytest.approx(metrics, rel=0.005, abs=1e-6), name
    cohorts = [Cohort.load(night.folder / "evaluate" / "cohort") for night in nights]
    assert cohorts[0].users.ids.equals(cohorts[1].users.ids)
    assert (cohorts[0].history != cohorts[1].history).nnz == 0
    assert (cohorts[0].popularity == cohorts[1].popularity).all()
    for name in ("popular", "item_knn"):  # no order of sums in them
        assert (here.evaluated(name).lists == there.evaluated(name).lists).all()
    visitors = [night.done.evaluate.visitors for night in nights]
    assert [each.n_visitors for each in visitors[0].known] == [each.n_visitors for each in visitors[1].known]


def test_the_reports_have_the_same_sections_and_checks(nights: tuple[Night, Night]) -> None:
    headings = [re.findall(r"^#+ .*$", (night.folder / "report.md").read_text("utf-8"), re.M) for night in nights]
    assert headings[0] == headings[1]
    gates = [json.loads((night.folder / "report.json").read_text("utf-8"))["gates"] for night in nights]
    assert [(gate["name"], gate["passed"]) for gate in gates[0]] == [
        (gate["name"], gate["passed"]) for gate in gates[1]
    ]


def test_the_versions_answer_alike(nights: tuple[Night, Night]) -> None:
    here, there = (open_engine(Registry(night.config.publish.store)) for night in nights)
    assert here.user_ids.ids.equals(there.user_ids.ids)
    users = here.user_ids.decode(range(0, len(here.user_ids), 5))
    lists = [
        [[item.item_id for item in answer.items] for answer in engine.recommend_many(users, k=10)]
        for engine in (here, there)
    ]
    assert np.mean([one == other for one, other in zip(*lists, strict=True)]) > 0.9


def test_scratch_is_empty_after_the_night(nights: tuple[Night, Night]) -> None:
    scratch = nights[1].config.compute.scratch
    assert scratch is not None
    assert [path for path in scratch.rglob("*") if path.is_file()] == []


def test_a_reader_is_told_of_and_forgotten(nights: tuple[Night, Night]) -> None:
    config = nights[1].config
    reader = open_engine(Registry(config.publish.store)).user_ids.id_at(7)
    with opened(config.publish.store, config, None) as places:
        told = subject(places, reader)
        assert {"prepare", "evaluate", "train"} <= set(told["workspace"])
        assert forget(places, [reader]).problems == []
    assert found_in(config.workspace, {"id": reader.encode()}) == {}
