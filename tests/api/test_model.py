import json
from datetime import UTC, datetime

from api.messages.service_replies import ModelReply
from recsys.artifacts.manifest import VersionFacts, new_manifest


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


def test_the_end_of_its_log_is_told(service):
    assert service.get("/v1/model").json()["newest_event"] == "2023-11-14T22:13:20+00:00"
    assert "recsys_newest_event_timestamp_seconds 1.7e+09" in service.get("/metrics").text


def test_a_log_without_times_has_no_newest_event():
    reply = ModelReply.of(new_manifest({}, VersionFacts(log={"newest_event": None})))
    assert "newest_event" not in reply.model_dump(exclude_unset=True)


def test_paths_of_the_machine_that_trained_stay_private(service):
    reply = service.get("/v1/model")
    assert "secret" not in reply.text
    assert reply.json()["config"]["evaluate"] == {"split": "given"}
