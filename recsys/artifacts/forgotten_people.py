"""The people that a version names and who were forgotten since its log was read."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recsys.artifacts.bundle import read_folded_users, read_record, read_report, read_users
from recsys.artifacts.manifest import REPORTS, Manifest, log_read_at, read_manifest
from recsys.data.id_map import IdMap
from recsys.data.loading import damage_named
from recsys.forgotten import Forgotten


def forgotten_in(folder: Path, forgotten: Forgotten) -> frozenset[str]:
    """Ids of the people of the version in `folder` who count no more; only the files that name people are verified.

    Nothing is read if every tombstone is older than the version's log. Raises ArtifactError if a file is damaged.
    """
    manifest = read_manifest(folder)
    if not may_hold(manifest, forgotten):
        return frozenset()
    made_at = log_read_at(manifest)
    maps = (read_users(folder), read_folded_users(folder), _recorded(folder))
    found = {user for ids in maps if ids is not None for user in _voided(ids, forgotten, made_at)}
    return frozenset(found | {name for name in shown_in_report(folder) if forgotten.of_version(made_at, name)})


def may_hold(manifest: Manifest, forgotten: Forgotten) -> bool:
    """Whether a version may hold people who count no more: not if every tombstone is older than its log."""
    made_at = log_read_at(manifest)
    return any(at >= made_at for at in forgotten.until.values())


def _recorded(folder: Path) -> IdMap | None:
    record = read_record(folder)[1]
    return None if record is None else record.users


def _voided(ids: IdMap, forgotten: Forgotten, made_at: float) -> Iterator[str]:
    names = ids.ids.to_pylist()
    for at in (forgotten.times(names) >= made_at).nonzero()[0].tolist():
        yield names[at]


def shown_in_report(folder: Path) -> list[str]:
    """The names of the users whose lists a version's report shows: ids, digests of ids, or numbers."""
    page = read_report(folder, REPORTS["json"])
    if page is None:
        return []
    with damage_named(folder / REPORTS["json"], "a report"):
        return [str(example["user_id"]) for example in examples_of(json.loads(page))]


def examples_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The users that a report in JSON shows."""
    losing = (report.get("regressed") or {}).get("users", [])
    return [*report.get("examples", []), *(user["example"] for user in losing)]


def names_of(user_id: str) -> frozenset[str]:
    """How a report may name a user: by the id, or by the first digits of its hash (`publish.report_ids`)."""
    return frozenset({user_id, hashlib.sha256(user_id.encode()).hexdigest()[:12]})


def names_people(manifest: Manifest) -> bool:
    """Whether the examples of a version's report can be told to be of a user; else they are numbered."""
    publish = manifest.config.get("publish")
    return not isinstance(publish, dict) or publish.get("report_ids", "plain") != "none"
