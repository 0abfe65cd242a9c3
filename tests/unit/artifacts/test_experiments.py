"""The experiment of a store: what is written, refused, and protected."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsys.artifacts.experiments import Experiments
from recsys.artifacts.inventory import take_inventory
from recsys.artifacts.pruning import prune
from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError, ConfigError
from recsys.experiments.plan import Goal

GOAL = Goal(effect=0.1, baseline=0.05, needed_once=1_000, needed=1_500, tightest_at=1e-5)


@pytest.fixture
def experiments(registry: Registry, versions: list[str]) -> Experiments:
    return Experiments(registry)


@pytest.fixture
def start(experiments: Experiments, versions: list[str]) -> Callable[..., Any]:
    def started(**changes: Any) -> Any:
        return experiments.start(
            **({"control": versions[2], "treatment": versions[0], "share": 0.5, "goal": GOAL} | changes)
        )

    return started


def test_an_experiment_is_there_for_others_until_it_is_stopped(start: Any, store: Path, versions: list[str]) -> None:
    started = start(name="als-512")
    found = Experiments(Registry(store)).now()
    assert found == started
    assert found is not None
    assert found.runs
    assert {found.arm(f"u{at}") for at in range(50)} == {"control", "treatment"}
    assert found.source("treatment") == versions[0]
    ended = Experiments(Registry(store)).stop(reason="enough")
    assert ended.stop is not None
    assert (ended.runs, ended.stop.by, ended.stop.reason) == (False, "operator", "enough")
    assert Registry(store).current() == versions[2]


def test_history_has_a_line_of_every_change_and_moves_are_read_as_before(
    start: Any, experiments: Experiments, registry: Registry
) -> None:
    moves = registry.history()
    start()
    experiments.change_share(0.8)
    experiments.stop(by="errors", reason="60 of 1,000 lists failed")
    told = [(entry.change, entry.share, entry.by) for entry in registry.experiment_history()]
    assert told == [("start", 0.5, "operator"), ("share", 0.8, "operator"), ("stop", 0.8, "errors")]
    assert registry.history() == moves
    assert take_inventory(registry).faults == ()
    registry.rollback()
    assert len(registry.history()) == len(moves) + 1
    assert len(registry.experiment_history()) == 3


def test_a_larger_share_keeps_the_salt_and_reads_anew(start: Any, experiments: Experiments) -> None:
    before = start(share=0.1)
    after = experiments.change_share(0.4)
    assert (after.salt, after.started_at, after.share) == (before.salt, before.started_at, 0.4)
    assert after.share_since >= before.share_since
    for at in range(200):
        assert (before.arm(str(at)), after.arm(str(at))) != ("treatment", "control")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"treatment": "v" + "0" * 16}, "--treatment v0000000000000000: no such version"),
        ({"control": "v" + "0" * 16}, "--control v0000000000000000: no such version"),
        ({"treatment": "current", "control": "current"}, "both arms are"),
        ({"treatment": "popular", "control": "popular"}, "both arms are popular"),
        ({"share": 0}, "share: expected greater than 0"),
        ({"share": 1}, "share: expected less than 1"),
        ({"share": float("nan")}, "share: expected"),
        ({"name": "a b"}, "name: "),
    ],
)
def test_nonsense_is_refused(start: Any, experiments: Experiments, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        start(**changes)
    assert experiments.now() is None


def test_the_version_that_serves_is_no_treatment_of_itself(start: Any, versions: list[str]) -> None:
    with pytest.raises(ConfigError, match=f"both arms are the version that serves, {versions[2]}"):
        start(control="current", treatment=versions[2])


def test_one_runs_at_a_time(start: Any, experiments: Experiments) -> None:
    first = start()
    with pytest.raises(ConfigError, match=r"runs; `recsys experiment stop` ends it"):
        start()
    experiments.stop()
    assert start().salt != first.salt
    with pytest.raises(ConfigError, match="another experiment runs by now"):
        experiments.stop(salt=first.salt)  # a guardrail of the first one comes too late


def test_what_needs_a_running_one_says_so(experiments: Experiments) -> None:
    for change in (experiments.stop, lambda: experiments.change_share(0.5)):
        with pytest.raises(ConfigError, match="no experiment runs"):
            change()


@pytest.mark.parametrize("share", [0, 1, -1, float("nan")])
def test_a_share_without_an_arm_is_refused(start: Any, experiments: Experiments, share: float) -> None:
    start()
    with pytest.raises(ConfigError, match="share: got"):
        experiments.change_share(share)


def test_a_store_without_a_version_has_nothing_to_compare(store: Path) -> None:
    store.mkdir()
    with pytest.raises(ConfigError, match="nothing has been published yet"):
        Experiments(Registry(store)).start(control="current", treatment="popular", share=0.5, goal=GOAL)


def test_a_damaged_version_is_no_arm(start: Any, registry: Registry, versions: list[str], experiments: Any) -> None:
    (registry.path(versions[0]) / "popularity.npy").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=r"popularity\.npy"):
        start()
    assert experiments.now() is None


@pytest.mark.parametrize("name", ["started_at", "share_since"])
@pytest.mark.parametrize("told", ["yesterday", "2026-11-28T10:00:00", ""])
def test_a_time_that_was_changed_by_hand_is_damage(
    start: Any, experiments: Experiments, name: str, told: str
) -> None:
    start()
    written = json.loads(experiments.path.read_text())
    experiments.path.write_text(json.dumps(written | {name: told}))
    with pytest.raises(ArtifactError, match=f"EXPERIMENT: is damaged; delete it(.|\n)*{name}"):
        experiments.now()


def test_versions_of_a_running_experiment_are_not_pruned(
    start: Any, experiments: Experiments, registry: Registry, versions: list[str], seal: Any
) -> None:
    later = [seal(seed).version for seed in (10, 11)]
    for version in later:
        registry.publish(version)
    start()
    assert set(prune(registry, 1).removed) == {versions[1]}
    experiments.stop()
    assert set(prune(registry, 1).removed) == {versions[0], versions[2]}


def test_a_damaged_file_is_named_and_stops_pruning(start: Any, experiments: Experiments, registry: Registry) -> None:
    start()
    written = json.loads(experiments.path.read_text())
    experiments.path.write_text(json.dumps(written | {"share": 2}))
    with pytest.raises(ArtifactError, match="EXPERIMENT: is damaged; delete it"):
        experiments.now()
    with pytest.raises(ArtifactError, match="EXPERIMENT"):
        prune(registry, 1)
