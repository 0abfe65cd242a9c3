"""Short forms of the campaigns; `make torture` runs them long."""

import logging
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from recsys.artifacts.registry import Registry
from tests.api.protocol_server import running
from tests.object_stores import Bucket
from torture import attacks, forget, mutations, objects, openapi, oracle, power, syscalls
from torture.clients import FLOODS, HALF_OPEN, REFUSED


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_mutated_bundles_end_no_process_and_give_no_wrong_list() -> None:
    found = mutations.campaign(25)
    assert found.failures == []
    assert sum(found.counts.values()) == 25
    assert found.counts["refused"] > 12


def test_a_mutation_changes_something() -> None:
    content = bytes(range(256)) * 8
    rng = random.Random(1)
    assert all(mutations.mutated(content, rng, is_text=at % 2 == 0) != content for at in range(200))


def test_power_lost_at_any_moment_leaves_the_old_version_or_the_new() -> None:
    found = power.campaign(12)
    assert (found.n_tried, found.failures) == (12, [])


@pytest.mark.parametrize(
    "unsynced",
    [
        lambda path: path.name == ".CURRENT.new",
        lambda path: path.name == ".HISTORY.new",
        lambda path: path.name == "store",
        lambda path: path.name == "versions",
        lambda path: path.name == "manifest.json",
        lambda path: path.name == "popularity.npy",
        lambda path: path.name == "model",
        lambda path: path.name.startswith(".staging-"),
    ],
)
def test_one_fsync_less_loses_a_version(unsynced: Callable[[Path], bool]) -> None:
    assert power.campaign(1, without_sync=unsynced).failures


def test_the_store_is_as_a_model_of_it_says() -> None:
    assert oracle.campaign(20) == 20


def test_a_registry_that_forgets_a_rollback_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "rollback_target", lambda self: self.current())
    with pytest.raises(AssertionError):
        oracle.campaign(200)


@pytest.mark.skipif(not syscalls.available(), reason="strace is not installed, or may not trace")
def test_system_calls_that_fail_or_kill_leave_the_old_version_or_the_new() -> None:
    found = syscalls.campaign(1, actions=["rollback"])
    assert (found.n_tried, found.failures) == (1, [])


def test_harmful_clients_are_refused_and_closed_while_others_are_answered() -> None:
    with running(most=400, most_of_address=400) as server:
        found = attacks.campaign(server.port, n_half_open=20, n_splits=0, deadline=4.0, seconds_alone=0.1)
    assert found.failures == []
    assert found.n_tried.total() == len(REFUSED) + len(FLOODS) + 2 * 20 + 20 * len(HALF_OPEN)
    assert found.meanwhile


def test_forgetting_that_is_killed_leaves_a_store_that_serves_and_ends_when_typed_again() -> None:
    found = forget.campaign(2)
    assert (found.n_tried, found.failures) == (2, [])
    assert found.endings["killed"] >= 1


def test_requests_from_the_document_are_answered_as_it_says() -> None:
    found = openapi.campaign(48, only="/v1/rank", mutations=2)
    assert found.failures == []
    assert found.n_tried > 40
    assert {200, 422} <= found.statuses.keys()


def test_a_document_that_says_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    true = openapi.Service.document.fget

    def wrong(service: openapi.Service) -> dict[str, Any]:
        document = true(service)
        schemas = document["components"]["schemas"]
        schemas["RankedCandidates"]["properties"]["returned"]["type"] = "string"
        schemas["RankBody"]["properties"]["fresh"]["type"] = "null"
        return document

    monkeypatch.setattr(openapi.Service, "document", property(wrong))
    failures = openapi.campaign(24, only="/v1/rank", mutations=0).failures
    for finding in ("Response violates schema", "valid, but 422"):
        assert any(finding in failure for failure in failures)


def test_a_store_over_a_network_that_fails_is_never_torn_nor_falsely_done(bucket: Bucket, s3_server: str) -> None:
    found = objects.campaign(4, bucket, f"http://{s3_server}", seed=3, n_versions=3)
    assert found.failures == []
    assert found.n_tried == 4 and found.faults
