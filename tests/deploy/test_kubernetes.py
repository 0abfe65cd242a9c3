"""deploy/kubernetes against the schemas of Kubernetes, and what its pods may do."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from api.settings import Settings, variable
from recsys.pipeline_config import load_config

FOLDER = Path(__file__).resolve().parents[2] / "deploy/kubernetes"
OPERATOR = {"PodMonitor", "PrometheusRule"}
"""Kinds of the Prometheus operator, for which there is no schema here."""
MANIFESTS = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml")
KUSTOMIZATIONS = sorted(path.parent for path in FOLDER.rglob("kustomization.yaml"))


def documents(text: str) -> list[dict[str, Any]]:
    """The documents of one YAML text."""
    return [document for document in yaml.safe_load_all(text) if document]


@cache
def built(folder: Path) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would apply."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed; overlays are not built")
    made = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return documents(made.stdout)


def check(documents: list[dict[str, Any]]) -> int:
    """Validate strictly: an unknown field is an error. Returns how many were."""
    known = [document for document in documents if document["kind"] not in OPERATOR]
    for document in known:
        kubernetes_validate.validate(document, "1.35", strict=True)
    return len(known)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_a_manifest_is_as_its_schema_says(path):
    found = documents(path.read_text(encoding="utf-8"))
    assert check(found) or {document["kind"] for document in found} <= OPERATOR


def test_a_field_that_does_not_exist_is_noticed():
    (deployment,) = documents((FOLDER / "base/deployment.yaml").read_text(encoding="utf-8"))
    deployment["spec"]["template"]["spec"]["terminationGraceSeconds"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGraceSeconds"):
        check([deployment])


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda path: path.name)
def test_an_overlay_builds_and_is_as_the_schemas_say(folder):
    assert check(built(folder)) >= 9


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda path: path.name)
def test_every_pod_is_restricted(folder):
    pods = [pod for document in built(folder) if (pod := pod_of(document))]
    assert len(pods) == 2
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert (rights["readOnlyRootFilesystem"], rights["allowPrivilegeEscalation"]) == (True, False)
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


def pod_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """The specification of the pods that a Deployment or a CronJob makes."""
    spec = document.get("spec", {})
    spec = spec["jobTemplate"]["spec"] if document["kind"] == "CronJob" else spec
    return spec["template"]["spec"] if document["kind"] in ("Deployment", "CronJob") else None


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda path: path.name)
def test_selectors_find_the_pods_of_the_service(folder):
    found = {(document["kind"], document["metadata"]["name"]): document for document in built(folder)}
    labels = found["Deployment", "recsys"]["spec"]["template"]["metadata"]["labels"]
    selectors = [found["Service", "recsys"]["spec"]["selector"]]
    selectors.append(found["Deployment", "recsys"]["spec"]["selector"]["matchLabels"])
    selectors.append(found["NetworkPolicy", "recsys-service"]["spec"]["podSelector"]["matchLabels"])
    if ("PodDisruptionBudget", "recsys") in found:
        selectors.append(found["PodDisruptionBudget", "recsys"]["spec"]["selector"]["matchLabels"])
    for selector in selectors:
        assert selector.items() <= labels.items()
    night = found["CronJob", "recsys-night"]["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert not selectors[0].items() <= night.items()


def test_variables_of_the_service_are_settings():
    (deployment,) = documents((FOLDER / "base/deployment.yaml").read_text(encoding="utf-8"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    given = {entry["name"] for entry in container["env"] if entry["name"].startswith("RECSYS_")}
    assert len(given) >= 4
    assert given <= {variable(name) for name in Settings.model_fields}


def test_the_pod_is_given_longer_to_end_than_the_service_takes():
    (deployment,) = documents((FOLDER / "base/deployment.yaml").read_text(encoding="utf-8"))
    pod = deployment["spec"]["template"]["spec"]
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= pause + 20


def test_two_nights_never_run_at_once():
    (night,) = documents((FOLDER / "base/night.yaml").read_text(encoding="utf-8"))
    assert night["spec"]["concurrencyPolicy"] == "Forbid"


def test_its_configuration_loads():
    assert load_config(FOLDER / "base/pipeline.toml").publish.keep == 14


def test_replicas_of_an_object_store_share_no_volume():
    found = {(each["kind"], each["metadata"]["name"]): each for each in built(FOLDER / "overlays/object-store")}
    pod = pod_of(found["Deployment", "recsys"])
    (container,) = pod["containers"]
    given = {entry["name"]: entry["value"] for entry in container["env"]}
    assert given["RECSYS_STORE"].startswith("s3://")
    settings = {name for name in given if name.startswith("RECSYS_")}
    assert settings <= {variable(name) for name in Settings.model_fields}
    assert not [volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert mounts[given["RECSYS_CACHE"]] == "cache" and "/srv/recsys" not in mounts
    (cache,) = [volume for volume in pod["volumes"] if volume["name"] == "cache"]
    assert cache["emptyDir"]["sizeLimit"]
    night = pod_of(found["CronJob", "recsys-night"])
    assert f"publish.store={given['RECSYS_STORE']}" in night["containers"][0]["args"], "one store for both"
    (egress,) = found["NetworkPolicy", "recsys-service"]["spec"]["egress"]
    ports = {port["port"] for port in egress["ports"]}
    assert ports == {53, 443}
