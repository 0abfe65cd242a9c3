"""PreviousVersion: the published version that tonight's vectors are tied to, and whether a fit may start from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipelines.steps.report import portable_settings
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.registry import Registry
from recsys.config import ModelConfig, PrepareConfig
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.errors import ArtifactError
from recsys.models.factors.continuity import EarlierEmbeddings, share_of_entries
from recsys.pipeline_config import PipelineConfig

# With less of tonight's entries at items that have a vector, most of the model would be made of nothing.
_SHARED_ENTRIES = 0.5

# Settings of [model] that leave the vectors as they are, say how they are tied, or how many iterations to train at
# most: with early stopping that number is another one from night to night.
_NOT_LEARNED = {
    "iterations",
    "early_stopping",
    "popularity_exponent",
    "threads",
    "gpu",
    "log_loss",
    "continuity",
    "warm_iterations",
    "warm_nights",
}


@dataclass(frozen=True, eq=False)
class PreviousVersion:
    """A version, verified: its manifest, its vectors with their ids, and the matrix it was trained on."""

    manifest: Manifest
    earlier: EarlierEmbeddings
    seen: Csr

    @property
    def version(self) -> str:
        """Its name."""
        return self.manifest.version

    @property
    def warm_nights(self) -> int:
        """How many fits in a row, up to this one, set out from the one before."""
        nights = self.manifest.training.get("warm_nights")
        return nights if isinstance(nights, int) else 0


def find_previous_version(config: PipelineConfig, matrix: InteractionMatrix, *, log: str) -> PreviousVersion | None:
    """The version that serves, or, where that was made of this very log, the one it was itself tied to.

    So the same night run again gives the same vectors, and not those of one iteration more. `log`: the fingerprint.
    None where there is none. Raises ArtifactError where it is damaged, or its vectors cannot be brought over.
    """
    registry = Registry(config.publish.store)
    if (version := _version(registry, config, log)) is None:
        return None
    bundle = registry.load(version)
    earlier = EarlierEmbeddings(bundle.users, bundle.items.ids, bundle.model.embeddings)
    if (factors := earlier.embeddings.factors) != config.model.factors:
        raise ArtifactError(f"{version} has {factors} factors, model.factors asks for {config.model.factors}")
    if (share := share_of_entries(earlier.items, matrix)) < _SHARED_ENTRIES:
        raise ArtifactError(f"{version} knows the items of {share:.0%} of the entries, expected half at least")
    return PreviousVersion(bundle.manifest, earlier, bundle.seen)


def _version(registry: Registry, config: PipelineConfig, log: str) -> str | None:
    manifest = registry.serving_manifest()
    if manifest is None:
        return None
    if manifest.log.get("fingerprint") != log or changed_since(manifest, config):
        return manifest.version
    tied_to = manifest.training.get("started_from") or manifest.training.get("aligned_to")
    return None if tied_to is None else str(tied_to)


def why_not_warm(previous: PreviousVersion, config: PipelineConfig) -> str | None:
    """Why a fit must not set out from the vectors of `previous`; None where it may."""
    if changed := changed_since(previous.manifest, config):
        return f"{changed} since {previous.version}"
    if previous.warm_nights >= config.model.warm_nights:
        return f"model.warm_nights allows no more than {config.model.warm_nights} in a row"
    return None


def changed_since(manifest: Manifest, config: PipelineConfig) -> str | None:
    """The first setting that vectors depend on and that is another one now, in words; None where all are alike.

    What was chosen and evaluated with a whole fit is not what a single iteration from other vectors leads to.
    """
    now = _learned_by(portable_settings(config))
    try:
        before = _learned_by(manifest.config)
    except (KeyError, TypeError, ValidationError):
        return "settings are kept in another form"
    changed = next((key for key, value in now.items() if before[key] != value), None)
    return changed and f"{changed} has changed from {before[changed]} to {now[changed]}"


def _learned_by(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting that vectors depend on, by its key; one that a version does not know has its default."""
    sections = {
        "model": ModelConfig.model_validate(settings["model"]).model_dump(exclude=_NOT_LEARNED),
        "prepare": PrepareConfig.model_validate(settings["prepare"]).model_dump(),
        "log": {key: settings["log"][key] for key in ("event_weights", "non_positive")},
    }
    return {f"{name}.{key}": value for name, section in sections.items() for key, value in section.items()}
