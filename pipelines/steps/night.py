"""A night compared with the kept versions: their profiles, tonight's, and what publish will refuse."""

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime

from pipelines.steps.store import open_store
from pipelines.steps.summaries import PrepareSummary
from pipelines.steps.workspace import Workspace
from recsys.artifacts.bundle import read_users
from recsys.artifacts.history import ancestry
from recsys.artifacts.manifest import NEWEST_EVENT, Manifest, read_manifest
from recsys.artifacts.registry import Registry
from recsys.data.id_map import IdMap
from recsys.data.profile import LogProfile
from recsys.errors import ArtifactError
from recsys.evaluation.acceptance import accept
from recsys.evaluation.gates import Gate
from recsys.evaluation.kept_nights import COURSE_NIGHTS, Course, KeptNight, Night
from recsys.evaluation.night_gates import check_night
from recsys.pipeline_config import PipelineConfig

log = logging.getLogger(__name__)


def read_course(registry: Registry) -> Course | None:
    """The serving version and those that served before it; None before the first publish.

    Earlier versions that are gone or damaged are passed over. Raises ArtifactError if the serving one is damaged.
    """
    if (serving := registry.current()) is None:
        return None
    earlier = _earlier(registry, serving)
    return Course((*list(earlier)[-COURSE_NIGHTS:], _kept(read_manifest(registry.path(serving)))))


def _earlier(registry: Registry, serving: str) -> Iterator[KeptNight]:
    try:
        before = ancestry(registry.history(), serving)[:-1]
    except ArtifactError as error:
        log.warning("%s; the night is compared with the serving version alone", error)
        return
    kept = set(registry.names())
    for version in before:
        if version in kept:
            try:
                yield _kept(read_manifest(registry.path(version)))
            except ArtifactError as error:
                log.warning("%s; the night is not compared with it", error)


def _kept(manifest: Manifest) -> KeptNight:
    return KeptNight(
        version=manifest.version,
        made_at=int(datetime.fromisoformat(manifest.created_at).timestamp()),
        profile=manifest.profile or _from_log(manifest),
        gone_users=manifest.gone_users,
        accepted=frozenset(manifest.accepted),
    )


def _from_log(manifest: Manifest) -> LogProfile:
    """What a version that is older than profiles says of its log."""
    known = {key: manifest.log.get(key) for key in ("rows_read", "accepted", NEWEST_EVENT)}
    return LogProfile.model_validate({key: value for key, value in known.items() if isinstance(value, int)})


def this_night(workspace: Workspace, registry: Registry) -> Night:
    """Tonight's profile, from what prepare wrote. Raises ArtifactError if the serving version is damaged."""
    profile = workspace.summary(PrepareSummary).profile or LogProfile()
    serving = registry.current()
    gone = None if serving is None else _gone_users(read_users(registry.path(serving)), workspace)
    return Night(profile=profile, now=int(time.time()), gone_users=gone)


def _gone_users(serving: IdMap, workspace: Workspace) -> float:
    """The share of the serving version's users that the log does not have."""
    known = IdMap.load(workspace.folder("prepare") / "events" / "users.arrow").encode(serving.ids)[1]
    return 1.0 - float(known.mean()) if len(known) else 0.0


def foresee(config: PipelineConfig, workspace: Workspace, accepted: Sequence[str]) -> tuple[Gate, ...]:
    """The night gates that publish will refuse, known as soon as prepare has run; each is logged as a warning."""
    try:
        refused = refusing(config, workspace, accepted)
    except ArtifactError as error:
        log.warning("%s; what publish will refuse is not known", error)
        return ()
    for gate in refused:
        log.warning("publish will refuse this night (%s): %s", gate.name, gate.detail)
    return refused


def refusing(config: PipelineConfig, workspace: Workspace, accepted: Sequence[str] = ()) -> tuple[Gate, ...]:
    """The night gates that publish will refuse. Raises ArtifactError if the serving version is damaged."""
    registry = open_store(config)
    gates = check_night(this_night(workspace, registry), read_course(registry), config.publish.limits)
    return tuple(gate for gate in accept(gates, accepted) if gate.refuses)
