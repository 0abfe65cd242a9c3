"""Nights end to end: a loss is refused under its name, accepted once on purpose, and blocks no later night."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsys.artifacts.manifest import Manifest
from recsys.artifacts.registry import Registry

ANY = "--set", "publish.must_beat_popular=false"
"""The made-up shop is too small for a model that always beats most-popular."""


def _keep_lines(folder: Path, keep: Callable[[str], bool]) -> None:
    """Cut the files of the log down to the header and the lines to keep."""
    for path in sorted((folder / "events").glob("*.csv")):
        head, *lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)
        path.write_text("".join([head, *filter(keep, lines)]), encoding="utf-8", errors="surrogateescape")


def _one_in_four(line: str) -> bool:
    """Whether the line is of one of the customers who are left if three in four are missing."""
    return any(f"u{number:07d}" in line for number in range(0, 300, 4))


def _manifest(config: Path) -> Manifest:
    found = Registry(config.parent / "store").serving_manifest()
    assert found is not None
    return found


def test_three_customers_in_four_are_missing(recsys: Any, published: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = {path: path.read_bytes() for path in (published.parent / "events").glob("*.csv")}
    first = _manifest(published)
    _keep_lines(published.parent, _one_in_four)

    refused = recsys("run", published, *ANY, "--json")
    assert refused.returncode == 3
    document = json.loads(refused.stdout)
    assert {"rows_read", "rows_accepted", "users", "gone_users"} <= set(document["gates"])
    assert "fewer than the serving version's" in document["detail"]
    warned = [
        record.message for record in caplog.records if "publish will refuse this night (users)" in record.message
    ]
    assert len(warned) == 1
    assert _manifest(published) == first

    names = ",".join(document["gates"])
    assert f"`recsys publish {published} --set publish.must_beat_popular=false --accept {names}`" in refused.stderr
    accepted = recsys("publish", published, *ANY, "--accept", names, "--json")
    assert accepted.returncode == 0, accepted.stderr
    bad = _manifest(published)
    assert set(bad.accepted) == set(document["gates"])
    assert bad.gone_users == pytest.approx(0.75, abs=0.05)
    assert [gate["accepted"] for gate in bad.gates if gate["name"] == "users"] == [True]
    told = json.loads(accepted.stdout)["steps"]["publish"]["outcome"]
    assert (told["light"], told["verdict"]["light"]) == ("attention", "good")
    assert sum(each["text"].startswith("accepted on purpose: users:") for each in told["statements"]) == 1

    for path, content in whole.items():
        path.write_bytes(content)
    right = recsys("run", published, *ANY, "--set", "model.seed=2", "--json")
    assert right.returncode == 0, right.stderr
    report = json.loads((published.parent / "work" / "report.json").read_text(encoding="utf-8"))
    assert report["serving"]["version"] == first.version
    drop = next(gate for gate in report["gates"] if gate["name"] == "no_metric_drop")
    assert f"against the earlier version {first.version}'s" in drop["detail"]
    assert "not with the serving version, because its log has" in drop["detail"]
    assert _manifest(published).accepted == ()

    registry = Registry(published.parent / "store")
    registry.rollback(bad.version)
    record = registry.path(first.version) / "evaluation.arrow"
    record.chmod(0o644)
    record.write_bytes(record.read_bytes()[:-1])
    again = recsys("publish", published, *ANY, "--set", "model.seed=2")
    assert again.returncode == 0, again.stderr
    assert f"not comparable with {bad.version}: its log has" in again.stdout


def test_after_a_small_first_night_the_whole_log_is_not_compared_with_it(recsys: Any, shop: Path) -> None:
    whole = {path: path.read_bytes() for path in (shop.parent / "events").glob("*.csv")}
    _keep_lines(shop.parent, _one_in_four)
    assert recsys("run", shop, *ANY).returncode == 0
    small = _manifest(shop)
    for path, content in whole.items():
        path.write_bytes(content)
    assert recsys("run", shop, *ANY).returncode == 0
    drop = next(gate for gate in _manifest(shop).gates if gate["name"] == "no_metric_drop")
    assert (drop["passed"], drop["warning"]) == (True, True)
    assert f"not comparable with {small.version}: its log has" in drop["detail"]


def test_a_catalogue_that_shrank_is_refused(recsys: Any, published: Path) -> None:
    catalogue = published.parent / "items.csv"
    lines = catalogue.read_text(encoding="utf-8").splitlines(keepends=True)
    catalogue.write_text("".join(lines[:11]), encoding="utf-8")
    refused = recsys("run", published, *ANY, "--json")
    assert refused.returncode == 3
    assert set(json.loads(refused.stdout)["gates"]) == {"catalogue", "catalogue_share"}
    assert "items in the catalogue: 10, 91.67 % fewer than the serving version's 120" in refused.stderr


def test_the_same_night_again_loses_nothing(recsys: Any, published: Path) -> None:
    before = _manifest(published)
    assert before.profile is not None
    assert before.profile.n_items == 120
    assert recsys("run", published).returncode == 0
    assert _manifest(published) == before


def test_a_name_that_no_gate_has_is_2(recsys: Any, published: Path) -> None:
    result = recsys("run", published, "--accept", "user,catalogue")
    assert result.returncode == 2
    assert "--accept user: no gate has this name; did you mean 'users'?" in result.stderr
