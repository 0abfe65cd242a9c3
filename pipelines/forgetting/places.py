"""Places: where something may be held of a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.steps.store import MIRROR
from pipelines.steps.workspace import Workspace
from recsys.address import Address, is_address
from recsys.artifacts.opening import open_registry
from recsys.artifacts.registry import Registry
from recsys.artifacts.signature import SigningKey
from recsys.engine.rehearsal import check_serves
from recsys.errors import ConfigError
from recsys.event_store.database import Database, open_database
from recsys.pipeline_config import PipelineConfig
from recsys.remote import RemotePath


@dataclass(frozen=True, eq=False)
class Places:
    """A store; with a configuration also its workspace and its exports; an event store if there is one."""

    registry: Registry
    config: PipelineConfig | None = None
    events: Database | None = None

    @property
    def store(self) -> Path:
        """The folder of the versions, or the mirror of one in an object store."""
        return self.registry.store

    @property
    def workspace(self) -> Workspace | None:
        """That of the configuration, if it is there."""
        if self.config is None or not self.config.workspace.is_dir():
            return None
        return Workspace(self.config.workspace)


@contextmanager
def opened(store: Path | RemotePath, config: PipelineConfig | None, events: str | None) -> Iterator[Places]:
    """The places of a job and its service. `events`: of the service, by default `log.events` of the configuration.

    Raises ConfigError if the store or the event store is no such thing.
    """
    if isinstance(store, Path) and not store.is_dir():
        raise ConfigError(f"{store}: no such folder; expected the folder that publish.store names")
    mirror = None if config is None else config.workspace / MIRROR
    registry = open_registry(store, mirror=mirror, check=check_serves, key=SigningKey.of(), lock_wait_seconds=60.0)
    database = _database(events, config)
    try:
        yield Places(registry, config, database)
    finally:
        if database is not None:
            database.close()


def _database(events: str | None, config: PipelineConfig | None) -> Database | None:
    if events:
        if not is_address(events) and not Path(events).is_file():
            raise ConfigError(f"--events {events}: no such file; expected what `recsys serve --events` was given")
        return open_database(events)
    if config is None or config.log.events is None:
        return None
    where = _place_of(config.log.events)
    return None if isinstance(where, Path) and not where.is_file() else open_database(where)


def _place_of(address: Address) -> Address | Path:
    """The database, or the file of one; a variable may hold a path."""
    found = address.resolved()
    if not is_address(found):
        return Path(found)
    return Path(found.partition(":///")[2]) if address.scheme == "sqlite" else address
