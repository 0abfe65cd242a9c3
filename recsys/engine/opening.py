"""Opening: the engine on a version of a store, to which whoever was forgotten is unknown."""

from recsys.artifacts.manifest import log_read_at
from recsys.artifacts.registry import Registry
from recsys.engine.engine import Engine
from recsys.forgotten import Tombstones


def open_engine(registry: Registry, version: str | None = None) -> Engine:
    """The engine on `version`, by default the one that serves. Raises ArtifactError.

    FORGOTTEN is read once now; who is forgotten later is known to the next engine.
    """
    bundle = registry.load(version)
    forgotten, made_at = Tombstones(registry.store).look(), log_read_at(bundle.manifest)
    return Engine(bundle, is_forgotten=lambda user_id: forgotten.of_version(made_at, user_id))
