"""deploy/compose.yaml by the Compose specification, and what it says of the service."""

import re
import tomllib
from pathlib import Path

import pytest
from compose_spec import PyCompose, PyOptions

from api.settings import Settings, variable
from recsys.pipeline_config import load_config

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
REPLICA = (DEPLOY / "compose.replica.yaml").read_text(encoding="utf-8")


def parsed(text: str) -> PyCompose:
    """The file with its anchors merged. Raises ValueError if the specification does not allow it."""
    options = PyOptions()
    options.apply_merge = True
    compose = options.from_yaml(re.sub(r"\$\{\w+:?[?-][^}]*\}", "value", text))
    compose.validate()
    return compose


def services() -> dict[str, dict]:
    """What each service is given."""
    return parsed(TEXT).to_dict()["services"]


def test_it_is_what_the_specification_allows():
    assert {"service", "night", "postgres", "prometheus", "grafana"} <= set(parsed(TEXT).service_names())


@pytest.mark.parametrize(("right", "wrong"), [("read_only:", "readonly:"), ("- recsys:/srv", "- other:/srv")])
def test_a_file_with_a_mistake_is_not_allowed(right, wrong):
    with pytest.raises(ValueError, match="not"):
        parsed(TEXT.replace(right, wrong))


def test_variables_of_the_service_are_settings():
    given = [name for name in services()["service"]["environment"] if name.startswith("RECSYS_")]
    assert len(given) >= 4
    assert set(given) <= {variable(name) for name in Settings.model_fields}


@pytest.mark.parametrize("name", ["service", "night", "first-night"])
def test_what_runs_ours_may_not_write_outside_its_volumes_nor_gain_rights(name):
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_ports_are_open_on_this_machine_alone():
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(str(port).startswith("127.0.0.1:") or port.get("host_ip") == "127.0.0.1" for port in ports)


def test_files_that_are_mounted_exist():
    files = re.findall(r"- (\./\S+?):", TEXT)
    assert len(files) == 7
    made = "./keys.toml"  # by `recsys keys new`, as docs/operations.md says; it is in nobody's repository
    assert [file for file in files if file != made and not (DEPLOY / file).is_file()] == []


def test_its_passwords_are_in_the_example():
    wanted = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert wanted
    assert wanted <= set(re.findall(r"^(\w+)=", (DEPLOY / "compose.env.example").read_text(encoding="utf-8"), re.M))


def test_its_night_is_a_configuration_that_loads(monkeypatch):
    monkeypatch.setenv("RECSYS_DATA_DIR", "/srv/recsys/data")
    monkeypatch.setenv("RECSYS_EVENTS", "postgresql://recsys:secret@postgres/recsys")
    config = load_config(DEPLOY / "compose.pipeline.toml")
    assert str(config.publish.store) == "/srv/recsys/store"
    demo = tomllib.loads((DEPLOY.parent / "datasets/demo/pipeline.toml").read_text(encoding="utf-8"))
    own = tomllib.loads((DEPLOY / "compose.pipeline.toml").read_text(encoding="utf-8"))
    assert own["model"] == demo["model"]


def test_a_replica_shares_nothing_and_is_given_settings_alone():
    (service,) = parsed(REPLICA).to_dict()["services"].values()
    given = {name for name in service["environment"] if name.startswith("RECSYS_")}
    assert given >= {"RECSYS_STORE", "RECSYS_CACHE"}
    assert given <= {variable(name) for name in Settings.model_fields}
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert all("127.0.0.1" in str(port) for port in service["ports"])
    assert re.findall(r"- (\S+?):/", REPLICA) == ["cache", "./keys.toml"]
    assert all(service["environment"][name] is None for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    wanted = set(re.findall(r"\$\{(\w+):\?", REPLICA))
    assert wanted == {"RECSYS_STORE"}
    assert wanted <= set(re.findall(r"^(\w+)=", (DEPLOY / "compose.env.example").read_text(encoding="utf-8"), re.M))
