"""subject: all that is held of a person, place by place."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipelines.forgetting.places import Places
from pipelines.forgetting.workspaces import clean_workspace
from recsys.artifacts.bundle import Bundle, read_record
from recsys.artifacts.experiments import Experiments
from recsys.artifacts.forgotten_people import names_of, shown_in_report
from recsys.engine.user_profiles import UserProfiles
from recsys.errors import RecsysError
from recsys.event_store.forgetting import held_of
from recsys.forgotten import NEVER, Forgotten, read_forgotten

MOST_ROWS = 100_000
"""The most events and the most lists that are told."""


def subject(places: Places, user_id: str) -> dict[str, Any]:
    """What every place holds of a user, as JSON holds it. Damaged versions are told as `problem`."""
    at = read_forgotten(places.store).at(user_id)
    return {
        "user_id": user_id,
        "forgotten_at": None if at == NEVER else _time(at),
        "versions": [*_versions(places, user_id)],
        "experiment": _experiment(places, user_id),
        "event_store": _event_store(places, user_id),
        "workspace": _workspace(places, user_id),
        "exports": [str(each.to) for each in ([] if places.config is None else places.config.export)],
    }


def _versions(places: Places, user_id: str) -> Iterator[dict[str, Any]]:
    serving = places.registry.current()
    for version in places.registry.names():
        try:
            found = _version(places, version, user_id)
        except RecsysError as error:
            yield {"version": version, "problem": str(error)}
            continue
        if found is not None:
            yield {"version": version, "serves": version == serving, **found}


def _version(places: Places, version: str, user_id: str) -> dict[str, Any] | None:
    folder = places.registry.path(version)
    bundle, record = places.registry.load(version), read_record(folder)[1]
    row = None if record is None else record.users.position(user_id)
    stored = UserProfiles(bundle).find(user_id)
    in_report = bool(names_of(user_id) & {*shown_in_report(folder)})
    if stored is None and row is None and not in_report:
        return None
    found: dict[str, Any] = {"in_report": in_report}
    if stored is not None:
        at = stored.trained_at
        found["status"] = "folded_in" if at is None else "trained"
        found["vector"] = None if at is None else np.asarray(bundle.model.embeddings.users[at]).tolist()
        found["history"] = [*_items(bundle, stored.history)]
        found["seen"] = bundle.items.ids.decode(stored.seen.tolist())
    if record is not None and row is not None:
        metrics = {name: float(values[row]) for name, values in record.per_user.items()}
        found["evaluation"] = {"metrics": metrics, "list": record.list_of(row)}
    return found


def _items(bundle: Bundle, history: tuple[Any, Any]) -> Iterator[dict[str, Any]]:
    for at, weight in zip(*(each.tolist() for each in history), strict=True):
        yield {"item_id": bundle.items.ids.id_at(at), "title": bundle.items.title(at), "weight": weight}


def _experiment(places: Places, user_id: str) -> dict[str, str] | None:
    """The arm of a running experiment; it follows from the id and is kept nowhere."""
    experiment = Experiments(places.registry).now()
    if experiment is None or not experiment.runs:
        return None
    return {"name": experiment.name, "arm": experiment.arm(user_id)}


def _event_store(places: Places, user_id: str) -> dict[str, Any] | None:
    if places.events is None:
        return None
    held = held_of(places.events, user_id, limit=MOST_ROWS)
    return {
        "sessions": [*held.sessions],
        "n_events": held.n_events,
        "events": [event._asdict() for event in held.events],
        "n_impressions": held.n_impressions,
        "impressions": [dict(each) for each in held.impressions],
    }


def _workspace(places: Places, user_id: str) -> list[str] | None:
    """The outputs and pages that name the user, as paths below the workspace."""
    if places.workspace is None or places.config is None:
        return None
    now = datetime.now(UTC).timestamp()
    as_if = Forgotten.as_if([user_id], at=now)
    return clean_workspace(places.workspace, as_if, config=places.config, dry_run=True)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
