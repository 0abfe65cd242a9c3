"""Alerts and dashboard against the metrics that the service has, and by Prometheus' own tool."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from api.metrics import Metrics, ServingModel
from recsys.replica import Status

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/monitoring"
ALERTS = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))
_NAME = re.compile(r"\b(?:recsys|process)_\w+|\bup\b")


def known_names() -> set[str]:
    """Every series that a service exposes, and `up`, which Prometheus adds."""
    model = ServingModel(
        version="v1",
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        recall={"recommendations": 1.0},
        newest_event=datetime(2026, 11, 1, tzinfo=UTC),
        arms={"treatment": "v1"},
        experiment="e",
    )
    text = Metrics().exposition({"": model}, {"": Status(followed_at=1.0)}).decode()
    families = re.findall(r"^# TYPE (\S+) (\S+)", text, re.M)
    histograms = {
        name + end for name, kind in families if kind == "histogram" for end in ("_bucket", "_sum", "_count")
    }
    return {name for name, _ in families} | histograms | {"up"}


def names_in(expression: str) -> set[str]:
    """The series that an expression reads, without what stands in labels' values."""
    return set(_NAME.findall(re.sub(r'"[^"]*"', "", expression)))


def panel_expressions() -> list[str]:
    """What the panels ask."""
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def test_alerts_read_metrics_that_exist():
    assert len(ALERTS) >= 15
    for rule in ALERTS:
        assert names_in(rule["expr"])
        assert names_in(rule["expr"]) <= known_names(), rule["alert"]


def test_the_dashboard_reads_metrics_that_exist():
    asked = panel_expressions()
    assert len(asked) >= 25
    for expression in asked:
        assert names_in(expression)
        assert names_in(expression) <= known_names(), expression


def test_the_dashboard_shows_every_metric_of_the_service():
    base = re.compile(r"_(bucket|sum|count)$")
    own = {base.sub("", name) for name in known_names() if name.startswith("recsys_")}
    shown = {base.sub("", name) for expression in panel_expressions() for name in names_in(expression)}
    assert own - shown - {"recsys_model_loaded", "recsys_model_published"} == set()


def test_every_alert_leads_to_a_recipe():
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/operations.md").read_text(encoding="utf-8"), re.M)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    for rule in ALERTS:
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md"
        assert anchor in anchors, rule["alert"]


def test_every_alert_has_a_test():
    tests = (FOLDER / "alerts_test.yaml").read_text(encoding="utf-8")
    assert {rule["alert"] for rule in ALERTS} == set(re.findall(r"alertname: (\w+)", tests))


def test_the_operators_rules_are_the_same():
    own = yaml.safe_load((ROOT / "deploy/kubernetes/overlays/prometheus-operator/rules.yaml").read_text("utf-8"))
    assert [rule for group in own["spec"]["groups"] for rule in group["rules"]] == ALERTS


def test_panels_do_not_overlap():
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", "alerts_test.yaml"],
        ["check", "config", "prometheus.yaml"],
    ],
)
def test_prometheus_own_tool_agrees(arguments):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout
