"""`recsys experiment` and `recsys online` as they are typed."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps.run import run
from recsys.artifacts.registry import Registry
from recsys.event_store.database import open_database
from recsys.event_store.events import Events, NewEvent
from recsys.event_store.impressions import DAY, Impression, Impressions
from recsys.experiments.plan import Experiment
from recsys.online.recommendation_id import new_id
from recsys.pipeline_config import load_config
from recsys.progress import silent


@pytest.fixture
def store(published: Path) -> Path:
    return load_config(published).publish.store


@pytest.fixture
def experiment(recsys: Any, store: Path) -> Callable[..., Any]:
    return lambda command, *arguments: recsys("experiment", command, "--store", store, *arguments)


def shown(where: Path, *, experiment: dict[str, Any] | None, users: int = 400, days: float = 0.0) -> None:
    """Lists for users, three each, clicked with probability 0.05, and 0.4 in treatment."""
    plan = None if experiment is None else Experiment.model_validate(experiment)
    rng, impressions, events = random.Random(1), list[Impression](), list[NewEvent]()
    for at in range(3 * users):
        user = f"user {at % users}"
        arm = None if plan is None else plan.arm(user)
        list_id, now = new_id("recommendations", "v" + "0" * 16, arm), time.time() - days * DAY + at / 1e4
        told = {"version": "v" + "0" * 16, "arm": arm, "experiment": plan and plan.salt, "kind": "recommendations"}
        impressions.append(
            Impression(list_id, now, user_id=user, session_id=None, status="known", items=["a", "b"], **told)
        )
        if rng.random() < (0.4 if arm == "treatment" else 0.05):
            events.append(NewEvent(None, user, None, "a", "view", 1.0, now, now, list_id, 1))
    database = open_database(where)
    Impressions(database).add(impressions)
    Events(database).add([events])
    database.close()


def test_from_start_to_verdict(experiment: Any, store: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.db"
    shown(events, experiment=None, days=3)
    started = json.loads(experiment("start", "--treatment", "popular", "--events", events, "--json").stdout)
    assert (started["control"], started["treatment"], started["share"]) == ("current", "popular", 0.5)
    assert started["baseline_is_measured"] is True
    assert started["goal"]["baseline"] == pytest.approx(0.05, abs=0.02)
    plan = {name: started[name] for name in Experiment.model_fields}
    time.sleep(1.0)  # the start has whole seconds
    shown(events, experiment=plan)
    told = json.loads(experiment("status", "--events", events, "--json").stdout)
    assert told["outcome"] == "better"
    assert told["users"]["control"] + told["users"]["treatment"] == 400
    assert told["rates"]["click_through"]["always_valid"]["low"] > 0.1
    assert told["sample_ratio"]["p_value"] > 0.001
    text = experiment("status", "--events", events).stdout
    assert "Treatment is better: +" in text
    assert "popular for 50.0% of the users" in text
    assert "50.0%" in experiment("share", "0.5").stdout
    assert "has ended" in experiment("stop", "--reason", "enough").stdout
    assert "ended at" in experiment("status").stdout
    assert [entry.change for entry in Registry(store).experiment_history()] == ["start", "share", "stop"]


def test_without_impressions_the_size_is_told_and_assumed(experiment: Any, store: Path) -> None:
    result = experiment("start", "--treatment", "popular", "--effect", "0.1", "--name", "first")
    assert result.returncode == 0, result.stderr
    assert "first runs" in result.stdout
    assert "125,230 users if looked at every day, 59,652 if once" in result.stdout
    assert "assumed, with one list per user" in result.stdout
    assert "is not known" in experiment("status").stderr


def test_what_is_not_known_before_the_first_list_is_a_dash(experiment: Any, tmp_path: Path) -> None:
    shown(tmp_path / "events.db", experiment=None, users=1)
    experiment("start", "--treatment", "popular", "--baseline", "0.2")
    text = experiment("status", "--events", tmp_path / "events.db").stdout
    assert "nan" not in text
    assert "too early" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["start", "--treatment", "v0000000000000000"], "no such version"),
        (["start", "--treatment", "current"], "both arms are"),
        (["start", "--treatment", "popular", "--share", "0"], "share: got 0"),
        (["start", "--treatment", "popular", "--effect", "0"], "--effect: got 0"),
        (["start", "--treatment", "popular", "--baseline", "1"], "--baseline: got 1"),
        (["start", "--treatment", "popular", "--alpha", "0"], "--alpha: got 0"),
        (["start", "--treatment", "nonsense"], "no such version"),
        (["start", "--treatment", "popular", "--max-loss", "0"], "--max-loss: got 0"),
        (["start", "--treatment", "popular", "--max-seconds", "0"], "--max-seconds: got 0"),
        (["start", "--treatment", "popular", "--events", "gone.db"], "--events gone.db: no such file"),
        (["stop"], "no experiment runs"),
        (["share", "0.4"], "no experiment runs"),
    ],
)
def test_what_makes_no_sense_is_refused(experiment: Any, arguments: list[str], message: str) -> None:
    result = experiment(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "there is no experiment" in experiment("status").stdout


class TestOnline:
    def test_figures_as_text_json_and_html(self, recsys: Any, store: Path, tmp_path: Path) -> None:
        events, page = tmp_path / "events.db", tmp_path / "online.html"
        shown(events, experiment=None, days=1)
        told = json.loads(recsys("online", "--events", events, "--store", store, "--json").stdout)
        (overall,) = told["overall"]
        assert (overall["users"], overall["lists"], overall["items"], overall["arm"]) == (400, 1200, 2, None)
        rate = overall["click_through"]
        assert rate["low"] < rate["value"] < rate["high"]
        assert told["conversions"] == []
        text = recsys("online", "--events", events, "--html", page).stdout
        assert "1,200" in text
        html = page.read_text()
        assert "What people did with the lists" in html
        assert "1,200" in html

    def test_kinds_and_days_can_be_chosen(self, recsys: Any, tmp_path: Path) -> None:
        events = tmp_path / "events.db"
        shown(events, experiment=None, days=30)
        assert json.loads(recsys("online", "--events", events, "--json").stdout)["overall"] == []
        assert "no list was kept" in recsys("online", "--events", events).stdout
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 31 * DAY))
        found = recsys("online", "--events", events, "--since", day, "--clicks", "buy", "--json")
        (overall,) = json.loads(found.stdout)["overall"]
        assert overall["click_through"]["value"] == 0
        assert overall["conversion"]["value"] > 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "--events: not given"),
            (["--events", "gone.db"], "no such file"),
            (["--events", "HERE", "--since", "yesterday"], "expected a day such as"),
            (["--events", "HERE", "--since", "2026-02-01", "--until", "2026-01-01"], "is after --until"),
        ],
    )
    def test_wrong_arguments(self, recsys: Any, tmp_path: Path, arguments: list[str], message: str) -> None:
        shown(tmp_path / "events.db", experiment=None, users=1)
        given = [str(tmp_path / "events.db") if it == "HERE" else it for it in arguments]
        result = recsys("online", *given)
        assert result.returncode == 2
        assert message in result.stderr

    def test_the_nights_report_has_a_part(self, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = load_config(shop)
        without = run(config, progress=silent).publish.version
        serving = Registry(config.publish.store).current()
        database = open_database(tmp_path / "events.db")
        told = {"session_id": None, "arm": None, "experiment": None, "kind": "recommendations", "status": "known"}
        lists = [
            Impression(f"r{at}", time.time(), f"u{at}", version=serving or "", items=["a"], **told)
            for at in range(50)
        ]
        Impressions(database).add(lists)
        database.close()
        for where, is_there in ((tmp_path / "events.db", True), (tmp_path / "gone.db", False)):
            monkeypatch.setenv("RECSYS_EVENTS", str(where))
            assert run(config, steps=("publish",), progress=silent).publish.version == without
            for name in ("report.html", "report.md"):
                page = (config.workspace / name).read_text()
                assert ("What people did with the lists" in page) is is_there
            assert ("online" in json.loads((config.workspace / "report.json").read_text())) is is_there
