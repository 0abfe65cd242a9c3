"""forget: a tombstone first, then the removal from every place that can be reached."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields

from pipelines.forgetting.places import Places
from pipelines.forgetting.workspaces import clean_workspace
from pipelines.steps.export import export_anew
from pipelines.steps.store import open_store
from pipelines.steps.workspace import EXPORT, Workspace
from recsys.artifacts.bucket.registry import BucketRegistry
from recsys.artifacts.lock import exclusive
from recsys.artifacts.purging import holding, purge
from recsys.artifacts.signature import SigningKey
from recsys.artifacts.tombstones import add_tombstones
from recsys.engine.rehearsal import check_serves
from recsys.errors import ArtifactError, RecsysError
from recsys.event_store.forgetting import Removed, held_of, remove_forgotten, remove_users, sessions_of
from recsys.forgotten import NEVER, Forgotten, read_forgotten
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent

logger = logging.getLogger(__name__)


@dataclass
class Forgetting:
    """What was removed where. `at`: UTC seconds of the tombstones, None if none was written.

    `rewritten`: version before to version now. `problems`: what may still hold people, and what ends that, in
    sentences. `elsewhere`: what this command does not reach, and who has to.
    """

    users: int = 0
    at: float | None = None
    sessions: int = 0
    events: int = 0
    impressions: int = 0
    rewritten: dict[str, str] = field(default_factory=dict)
    removed_versions: list[str] = field(default_factory=list)
    workspace: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """The fields by name, as JSON holds them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def count(self, removed: Removed) -> None:
        """Add what was removed of an event store."""
        self.events += removed.events
        self.impressions += removed.impressions
        self.sessions += len(removed.sessions)


def forget(places: Places, users: Sequence[str], *, progress: Progress = silent) -> Forgetting:
    """Forget `users`, with the sessions that were merged with them. Done again, it ends what was stopped.

    The tombstones come first: from then on no answer, no publish and no commit of an event counts what was before.
    Raises ArtifactError if they cannot be written; whatever fails later stands in `problems`.
    """
    done = Forgetting(users=len(users))
    known = {user: _sessions(places, user) for user in users}
    done.at = add_tombstones(places.registry, users, [each for sessions in known.values() for each in sessions])
    with _noting(done, "the event store"):
        _remove(places, users, {session for sessions in known.values() for session in sessions}, done)
    _finish(places, done, progress)
    return done


def forget_pending(places: Places, *, progress: Progress = silent) -> Forgetting:
    """End what is left to do for every tombstone: of a request to the service, or of a command that was stopped."""
    done = Forgetting()
    forgotten = read_forgotten(places.store)
    if not forgotten:
        return done
    with _noting(done, "the event store"):
        for removed in () if places.events is None else remove_forgotten(places.events, forgotten):
            done.count(removed)
    _finish(places, done, progress)
    return done


def foresee(places: Places, users: Sequence[str]) -> Forgetting:
    """What `forget` would remove; nothing is changed."""
    done = Forgetting(users=len(users))
    forgotten = Forgotten.as_if(users, at=time.time())
    done.rewritten = dict.fromkeys(holding(places.registry, forgotten), "")
    for user in users:
        if places.events is None:
            break
        held = held_of(places.events, user, limit=1)
        done.count(Removed(held.n_events, held.n_impressions, held.sessions))
    if places.config is not None and (workspace := places.workspace) is not None:
        done.workspace = clean_workspace(workspace, forgotten, config=places.config, dry_run=True)
    done.exports = [str(each.to) for each in ([] if places.config is None else places.config.export)]
    done.elsewhere = _elsewhere(places)
    return done


def _sessions(places: Places, user: str) -> tuple[str, ...]:
    return () if places.events is None else sessions_of(places.events, user, until=time.time())


def _remove(places: Places, users: Sequence[str], known: set[str], done: Forgetting) -> None:
    """Delete the rows of users; sessions that were merged meanwhile, and are not `known`, get a tombstone too."""
    if places.events is None or done.at is None:
        return
    for removed in remove_users(places.events, users, until=done.at):
        done.count(removed)
        if later := [session for session in removed.sessions if session not in known]:
            add_tombstones(places.registry, [], later)


def _finish(places: Places, done: Forgetting, progress: Progress) -> None:
    with _noting(done, "the event store"):
        if places.events is not None:
            places.events.scrub(whole=bool(done.events or done.impressions or done.sessions))
    with _noting(done, str(places.store)):
        versions = purge(
            places.registry, key=SigningKey.of(), announce=lambda name: progress(f"rewrite {name}", 0, 1)
        )
        done.rewritten |= versions.rewritten
        done.removed_versions += versions.removed
        done.problems += versions.problems
    workspace = places.workspace
    if workspace is not None and places.config is not None:
        try:
            with exclusive(workspace.root / ".lock", doing="running in this workspace"):
                _finish_workspace(places, places.config, workspace, done, progress)
        except ArtifactError as error:
            done.problems.append(f"{error}; the run that uses the workspace takes people out of it at its end")
    done.elsewhere = _elsewhere(places)


def _finish_workspace(
    places: Places, config: PipelineConfig, workspace: Workspace, done: Forgetting, progress: Progress
) -> None:
    forgotten = read_forgotten(places.store)
    with _noting(done, str(workspace.root)):
        done.workspace += clean_workspace(workspace, forgotten, config=config)
    if config.export and _is_older(workspace, forgotten):
        with _noting(done, "exports"):
            exported, problems = export_anew(config, workspace, progress=progress)
            done.exports += exported
            done.problems += problems


def _is_older(workspace: Workspace, forgotten: Forgotten) -> bool:
    """Whether lists were exported before somebody was forgotten."""
    folder = workspace.folder(EXPORT)
    return folder.is_dir() and max(forgotten.until.values(), default=NEVER) >= folder.stat().st_mtime


def _elsewhere(places: Places) -> list[str]:
    told = ["the log itself: the tombstone keeps its rows out of every night, but they have to be deleted there"]
    if places.config is None:
        told.append("workspace and exports: name the CONFIG of the job")
    if isinstance(places.registry, BucketRegistry):
        told.append(
            "earlier versions of objects that the bucket keeps: a lifecycle rule has to delete them; and mirrors of "
            "the store on other machines, which follow at their next command"
        )
    if places.events is None:
        told.append("the event store of the service: name it with --events")
    return [
        *told,
        "backups, copies of the store, and files that `recsys export --out` or `recsys report --out` wrote",
    ]


@contextmanager
def _noting(done: Forgetting, place: str) -> Iterator[None]:
    """Note an error as a problem, and go on with the next place."""
    try:
        yield
    except (RecsysError, OSError) as error:
        told = str(error)
        done.problems.append(told if place in told else f"{place}: {told}")


def clean_after_run(config: PipelineConfig, workspace: Workspace, *, since: float, exported: bool) -> None:
    """Take out whoever was forgotten while a run worked, and end what others left to do; the caller has the lock.

    `since`: when the run began, UTC seconds. `exported`: it wrote lists, which are written again if somebody was
    forgotten meanwhile. What fails is logged: the night itself is done.
    """
    try:
        registry = open_store(config, check=check_serves, key=SigningKey.of())
        forgotten = read_forgotten(registry.store)
        if not forgotten:
            return
        removed = clean_workspace(workspace, forgotten, config=config)
        versions = purge(registry, key=SigningKey.of())
        problems = [*versions.problems]
        if exported and max(forgotten.until.values()) >= since:
            problems += export_anew(config, workspace, progress=silent)[1]
        if removed or versions.rewritten:
            logger.info("people who were forgotten are taken out: %s", ", ".join((*versions.rewritten, *removed)))
    except RecsysError as error:
        problems = [str(error)]
    for problem in problems:
        logger.error(
            "%s; `recsys forget --pending CONFIG` tries again to take out people who were forgotten", problem
        )
