"""PreviousVersion: the published version that new vectors are tied to, and whether a fit may start from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipelines.steps.report import portable_settings
from pipelines.steps.store import open_store
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.registry import Registry
from recsys.config import PrepareConfig
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.errors import ArtifactError
from recsys.models.factors.config import FactorModelConfig, WarmStartConfig
from recsys.models.factors.continuity import EarlierEmbeddings, share_of_entries
from recsys.models.registry import model_config
from recsys.pipeline_config import PipelineConfig

# With fewer entries at items that have a vector, most of the model would not be continued.
_SHARED_ENTRIES = 0.5


@dataclass(frozen=True, eq=False)
class PreviousVersion:
    """A version, verified: its manifest, its vectors with their ids, and the matrix it was trained on."""

    manifest: Manifest
    earlier: EarlierEmbeddings
    history: Csr

    @property
    def version(self) -> str:
        """Its name."""
        return self.manifest.version

    @property
    def warm_nights(self) -> int:
        """Number of warm starts in a row, up to this version."""
        return self.manifest.training.warm_nights or 0


def find_previous_version(config: PipelineConfig, matrix: InteractionMatrix, *, log: str) -> PreviousVersion | None:
    """The version that serves; if that was made from this very log, the version it was itself tied to.

    So running the job again on the same log gives the same vectors. `log`: its fingerprint. None if there is none.
    Raises ArtifactError if the version is damaged or its vectors cannot be carried over.
    """
    registry = open_store(config)
    if (version := _version(registry, config, log)) is None:
        return None
    bundle = registry.load(version)
    earlier = EarlierEmbeddings(bundle.users, bundle.items.ids, bundle.model.embeddings)
    if (algorithm := bundle.model.algorithm) != config.model.algorithm:
        raise ArtifactError(f"{version} was made by {algorithm}, model.algorithm asks for {config.model.algorithm}")
    if (factors := _factors(bundle.manifest, earlier)) != config.model.factors:
        raise ArtifactError(f"{version} has {factors} factors, model.factors asks for {config.model.factors}")
    if (share := share_of_entries(earlier.items, matrix)) < _SHARED_ENTRIES:
        raise ArtifactError(f"{version} knows the items of {share:.0%} of the entries, expected half at least")
    return PreviousVersion(bundle.manifest, earlier, bundle.history)


def _version(registry: Registry, config: PipelineConfig, log: str) -> str | None:
    manifest = registry.serving_manifest()
    if manifest is None:
        return None
    if manifest.log.get("fingerprint") != log or changed_since(manifest, config):
        return manifest.version
    return manifest.training.tied_to


def _factors(manifest: Manifest, earlier: EarlierEmbeddings) -> int:
    """What the version's configuration asked for; a small matrix may have given fewer."""
    try:
        return _model_of(manifest.config).factors
    except (KeyError, TypeError, ValidationError):
        return earlier.embeddings.factors


def why_not_warm(previous: PreviousVersion, model: WarmStartConfig, config: PipelineConfig) -> str | None:
    """Why a fit must not start from the vectors of `previous`; None if it may. `model`: that of `config`."""
    if changed := changed_since(previous.manifest, config):
        return f"{changed} since {previous.version}"
    if previous.warm_nights >= model.warm_nights:
        return f"model.warm_nights allows no more than {model.warm_nights} in a row"
    return None


def changed_since(manifest: Manifest, config: PipelineConfig) -> str | None:
    """The first setting that vectors depend on and that has changed, in words; None if all are the same."""
    now = _learned_by(portable_settings(config))
    try:
        before = _learned_by(manifest.config)
    except (KeyError, TypeError, ValidationError):
        return "settings are kept in another form"
    changed = next((key for key, value in now.items() if before.get(key) != value), None)
    return changed and f"{changed} has changed from {before.get(changed)} to {now[changed]}"


def _learned_by(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting that vectors depend on, by its key; a setting that a version does not name has its default."""
    sections = {
        "model": _model_of(settings).learned_by(),
        "prepare": PrepareConfig.model_validate(settings["prepare"]).model_dump(),
        "log": {key: settings["log"].get(key) or None for key in ("event_weights", "ignore_events", "non_positive")},
        "items": {"exclude": (settings.get("items") or {}).get("exclude")},
    }
    return {f"{name}.{key}": value for name, section in sections.items() for key, value in section.items()}


def _model_of(settings: Mapping[str, Any]) -> FactorModelConfig:
    return model_config(settings["model"])
