"""What the console ends with, and the report that is kept with a version."""

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.commands.rendering_night import outcome
from recsys.artifacts.registry import Registry
from recsys.evaluation.outcome import Outcome, Statement
from recsys.pipeline_config import PipelineConfig

COMPAT = Path(__file__).parents[2] / "compat" / "schema-1"


def test_a_night_that_is_accepted_ends_with_what_matters(recsys: Any, published: Path) -> None:
    ended = recsys("run", published)
    verdict, headline, standing, *_ = ended.stdout.strip().splitlines()
    report = json.loads((published.parent / "work" / "report.json").read_text())
    assert verdict == f"✓ Accepted: {report['version']} serves from {published.parent / 'store'}"
    assert headline.strip() == report["outcome"]["headline"]
    share = round(100 * report["models"]["als"]["hit_rate@20"]["mean"])
    assert headline.startswith(f"  {share} % of users found an item they later took among the first 20")
    assert standing == f"  ✓ {report['outcome']['statements'][0]['text']}"
    assert "\x1b" not in ended.stdout  # colour is for terminals


def test_a_night_that_is_refused_says_why_and_what_to_do(recsys: Any, published: Path) -> None:
    ended = recsys("run", published, "--set", "model.regularization=1e6", "--set", "model.neighbours=0")
    assert (ended.returncode, ended.stdout) == (3, "")
    ending = ended.stderr[ended.stderr.index("✗ Refused, not published: the serving version stays") :]
    assert "  ✗ ndcg@20 " in ending
    figures = r"ndcg@20 0\S+ against 0\S+ \(difference 0.*\), coverage@20 [01]\S+ against 0"
    assert re.search(rf"⚠ .*item_knn .*better than als.*: {figures}", ending)
    assert f"; or `recsys tune {published}` searches better settings" in ending
    assert ending.index("✗ ndcg@20") < ending.index("better than als")
    assert "error:" not in ended.stderr


def test_the_refusal_as_json_has_the_outcome_and_its_report_names_users_as_wanted(recsys: Any, shop: Path) -> None:
    given = ["--set", "model.regularization=1e6", "--set", "model.neighbours=0", "--set", "publish.report_ids=none"]
    tree = json.loads(recsys("run", shop, *given, "--json").stdout)
    assert (tree["verdict"], tree["outcome"]["light"]) == ("refused", "bad")
    examples = json.loads((shop.parent / "work" / "report.json").read_text())["examples"]
    assert [example["user_id"] for example in examples] == ["1", "2", "3", "4", "5"]


class TestTheReportOfAVersion:
    @pytest.fixture
    def store(self, finished: tuple[PipelineConfig, Any, Any]) -> Path:
        return finished[0].publish.store

    def test_it_is_the_one_of_its_night(self, recsys: Any, store: Path, tmp_path: Path) -> None:
        version = Registry(store).current()
        pages = store.parent / "work"
        assert recsys("report", version, "--store", store).stdout == (pages / "report.md").read_text()
        assert json.loads(recsys("report", "--store", store, "--json").stdout)["version"] == version
        assert recsys("report", "--format", "json", cwd=store.parent).stdout == (pages / "report.json").read_text()
        out = tmp_path / "page.html"
        assert str(out) in recsys("report", "--store", store, "--out", out).stdout
        assert out.read_text() == (pages / "report.html").read_text()

    def test_what_is_wrong_is_said(self, recsys: Any, store: Path, tmp_path: Path) -> None:
        old = shutil.copytree(COMPAT, tmp_path / "old", dirs_exist_ok=True)
        for arguments, message in (
            (["v0123456789abcdef", "--store", store], "no version 'v0123456789abcdef'"),
            (["--store", tmp_path / "nowhere"], "no such folder"),
            (["--store", tmp_path], "no version serves"),
            (["--store", old], "was sealed without a report"),
            (["--store", store, "--out", tmp_path / "no" / "page.md"], "--out"),
        ):
            ended = recsys("report", *arguments)
            assert (ended.returncode, ended.stdout) == (2, "")
            assert message in ended.stderr


def test_icons_are_letters_where_there_is_no_unicode() -> None:
    found = Outcome.of(
        Statement(light="good", text="Accepted"),
        headline="51 % of users",
        statements=(
            Statement(light="attention", text="a", remedy="run `x CONFIG`"),
            Statement(light="bad", text="b"),
        ),
    )
    for encoding, bad, attention in (("ascii", "X", "!"), ("utf-8", "✗", "⚠")):
        raw = io.BytesIO()
        page = io.TextIOWrapper(raw, encoding=encoding)
        outcome(Console(file=page), found, "Accepted: v1", {"CONFIG": "shop.toml"})
        page.flush()
        assert raw.getvalue().decode(encoding).splitlines() == [
            f"{bad} Accepted: v1",
            "  51 % of users",
            f"  {bad} b",
            f"  {attention} a",
            "    -> run `x shop.toml`",
        ]
