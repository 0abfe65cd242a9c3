import json
from datetime import UTC, datetime


def test_the_model_that_serves(service, store):
    version = (store / "CURRENT").read_text().strip()
    manifest = json.loads((store / "versions" / version / "manifest.json").read_text())
    body = service.get("/v1/model").json()
    assert body["model_version"] == version
    for name in ("created_at", "metrics", "index", "counts", "verdict"):
        assert body[name] == manifest[name]
    assert body["config"]["model"]["factors"] == 4


def test_its_age_is_counted_in_seconds(service):
    body = service.get("/v1/model").json()
    made = datetime.fromisoformat(body["created_at"])
    assert abs(body["age_seconds"] - (datetime.now(UTC) - made).total_seconds()) < 2


def test_paths_of_the_machine_that_trained_stay_private(service):
    reply = service.get("/v1/model")
    assert "secret" not in reply.text
    assert reply.json()["config"]["evaluate"] == {"split": "given"}
