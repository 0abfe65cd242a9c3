"""Where each step keeps its outputs, and whether they are up to date."""

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from pipelines.steps.leftovers import remove_unfinished
from pipelines.steps.step_warnings import collected_warnings
from pipelines.steps.summaries import AnySummary, StepSummary
from recsys.config import HOLDOUT_ROWS, EvaluateConfig
from recsys.errors import ConfigError, DataError
from recsys.pipeline_config import PipelineConfig
from recsys.storage import storage_errors
from recsys.validation_errors import explained

STEPS = ("prepare", "evaluate", "train", "index", "publish")
"""The steps of every job, in order; each reads only what the ones before it wrote."""

ENCODE = "encode"
"""The step between prepare and evaluate, of a job with `[[content]]` only."""

EXPORT = "export"
"""The step after publish, of a job with `[export]` only."""

# The sections of the configuration that each step reads.
_SETTINGS = {
    "prepare": ("log", "items", "prepare"),
    "encode": ("content",),
    "evaluate": ("evaluate", "model"),
    "train": ("model",),
    "index": ("index",),
    "publish": ("publish", "serve"),
    "export": ("export",),
}

# Those that it reads too if there is `[[content]]`.
_SETTINGS_WITH_CONTENT = {"evaluate": ("cold_start",)}

CONTENT_SECTIONS = ("content", "cold_start")
"""The sections that have no meaning, and are no part of a version, without `[[content]]`."""

_RECORD = "step.json"

log = logging.getLogger(__name__)


def steps_of(config: PipelineConfig) -> tuple[str, ...]:
    """The steps of the job of `config`, in order."""
    encode, export = ((ENCODE,) if config.content else ()), ((EXPORT,) if config.export else ())
    return (STEPS[0], *encode, *STEPS[1:], *export)


def steps_from(first: str, config: PipelineConfig) -> tuple[str, ...]:
    """`first` and the steps after it. Raises ConfigError if the job has no such step."""
    check_step(first, config)
    steps = steps_of(config)
    return steps[steps.index(first) :]


def check_step(step: str, config: PipelineConfig) -> None:
    """Raise ConfigError if the job has no such step."""
    if step == ENCODE and not config.content:
        raise ConfigError(
            "content: nothing to encode, the configuration has no [[content]] table; docs/embeddings.md says how to"
            " write one"
        )
    if step == EXPORT and not config.export:
        raise ConfigError(
            "export: nothing to export to, the configuration has no [export] table; docs/export.md says how to write"
            " one"
        )
    if step not in steps_of(config):
        raise ConfigError(f"{step!r} is not a step; expected one of {', '.join(steps_of(config))}")


@dataclass(frozen=True)
class Workspace:
    """The folder of one job's intermediate results and of its report.

    `changed_inputs`: what changed in the input files since prepare, or encode, read them, in sentences. `full`: an
    incremental log is read anew as a whole.
    """

    root: Path
    changed_inputs: tuple[str, ...] = ()
    full: bool = False

    def folder(self, step: str) -> Path:
        """The outputs of one step; it exists only if the step ended without an error."""
        return self.root / step

    @property
    def report_json(self) -> Path:
        """The evaluation report for programs."""
        return self.root / "report.json"

    @property
    def report_markdown(self) -> Path:
        """The evaluation report for people, as text."""
        return self.root / "report.md"

    @property
    def report_html(self) -> Path:
        """The evaluation report for people, with plots; one file for a browser."""
        return self.root / "report.html"

    @property
    def kept(self) -> Path:
        """The folder of the rows that an incremental log keeps for the next night."""
        return self.root / "kept"

    @property
    def quarantine(self) -> Path:
        """Refused rows with file, line and reason."""
        return self.root / "quarantine.jsonl"

    def summary(self, kind: type[AnySummary]) -> AnySummary:
        """What the step of `kind` did. Raises DataError if it has not run, or its record cannot be read."""
        try:
            return kind.model_validate(self._record(kind.step).summary)
        except ValidationError as error:
            raise DataError(
                f"{self._record_path(kind.step)}: not a summary of {kind.step}: {explained(error)}"
            ) from error

    def warnings(self, config: PipelineConfig) -> dict[str, tuple[str, ...]]:
        """What each step before publish warned of when it last ran; steps without a warning are left out."""
        before = steps_of(config)[: steps_of(config).index("publish")]
        found = {step: self._record(step).warnings for step in before}
        return {step: texts for step, texts in found.items() if texts}

    def identity(self, step: str) -> str:
        """A hash of the settings and inputs that a step's outputs were made from. Raises DataError as `summary`."""
        return self._record(step).identity

    def inputs(self, step: str) -> dict[str, str]:
        """What the outputs of a step depend on beside the settings and the step before. Raises as `summary`."""
        return dict(self._record(step).inputs)

    def require(self, step: str, config: PipelineConfig) -> Path:
        """The folder of a step that ran with these settings, on the present outputs of the steps before it.

        Raises DataError, with the command to type, if it has not run or is out of date.
        """
        record, again = self._record(step), f"run `recsys run CONFIG --from {step}` or an earlier step again"
        if record.settings != _settings(step, config):
            sections = " or ".join(f"[{name}]" for name in _sections(step, config))
            raise DataError(f"{self.folder(step)}: {sections} has changed since it was made; {again}")
        if before := _before(step, config):
            self.require(before, config)
            if record.after != self._record(before).identity:
                raise DataError(f"{self.folder(step)}: made from an earlier run of {before}; {again}")
        return self.folder(step)

    @contextmanager
    def output(self, step: str, config: PipelineConfig) -> Iterator["StepOutput"]:
        """A new folder to write into. It replaces the old one only if the block ends without an error."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.root / f".{step}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        output = StepOutput(fresh)
        try:
            with storage_errors(self.root, doing=f"while {step} wrote its output"), collected_warnings() as warned:
                yield output
                output.warnings = tuple(warned)
                self._commit(step, config, output)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)  # of a step that failed, so that a full disk is not fuller

    def _commit(self, step: str, config: PipelineConfig, output: "StepOutput") -> None:
        """Write the step's record, and let its new folder replace the old one."""
        record = self._new_record(step, config, output)
        text = json.dumps(record.model_dump(mode="json"), indent=2) + "\n"
        (output.folder / _RECORD).write_text(text, encoding="utf-8")
        shutil.rmtree(self.folder(step), ignore_errors=True)
        output.folder.rename(self.folder(step))

    def remove_leftovers(self) -> None:
        """Remove what steps left that were killed. The caller holds the lock of the workspace."""
        remove_unfinished(self.root)

    def _new_record(self, step: str, config: PipelineConfig, output: "StepOutput") -> "_StepRecord":
        before, settings = _before(step, config), _settings(step, config)
        after = self._record(before).identity if before else None
        identity = _sha256({"settings": settings, "after": after, **output.inputs})
        summary = {} if output.summary is None else output.summary.model_dump(mode="json")
        return _StepRecord(
            step=step,
            settings=settings,
            after=after,
            inputs=output.inputs,
            identity=identity,
            summary=summary,
            warnings=output.warnings,
        )

    def _record(self, step: str) -> "_StepRecord":
        path = self._record_path(step)
        try:
            return _StepRecord.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise DataError(f"{path}: {step} has not run yet; run `recsys {step} CONFIG` first") from error
        except ValidationError as error:
            raise DataError(
                f"{path}: not the record of a step; run `recsys {step} CONFIG` again: {explained(error)}"
            ) from error

    def _record_path(self, step: str) -> Path:
        return self.folder(step) / _RECORD


@dataclass
class StepOutput:
    """What a running step fills: a folder of files, and its summary.

    `inputs`: what the outputs depend on beside the settings and the step before, as part of their identity.
    """

    folder: Path
    summary: StepSummary | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class _StepRecord(BaseModel):
    """step.json: what a step did, and what it depends on.

    `settings`, `identity`: hashes. `after`: the identity of the step before.
    """

    model_config = ConfigDict(frozen=True)

    step: str
    settings: str
    after: str | None
    inputs: dict[str, str]
    identity: str
    summary: dict[str, JsonValue]
    warnings: tuple[str, ...] = ()


def _before(step: str, config: PipelineConfig) -> str | None:
    steps = steps_of(config)
    at = steps.index(step)
    return steps[at - 1] if at else None


def _sections(step: str, config: PipelineConfig) -> tuple[str, ...]:
    return (*_SETTINGS[step], *(_SETTINGS_WITH_CONTENT.get(step, ()) if config.content else ()))


def _settings(step: str, config: PipelineConfig) -> str:
    sections = {name: _dumped(config, name) for name in _sections(step, config)}
    if step == "prepare":
        sections |= _holdout(config.evaluate)
    if config.compute.engine != "local":  # its steps write blocks, which those of this machine do not read
        sections["engine"] = config.compute.engine
    return _sha256(sections)


def _holdout(evaluate: EvaluateConfig) -> dict[str, JsonValue]:
    """What names the held-out rows, which prepare reads."""
    named = evaluate.model_dump(mode="json", include={*HOLDOUT_ROWS} - {"holdout_paths"})
    return {"holdout_paths": [str(path) for path in evaluate.holdout_paths], **named}


def _dumped(config: PipelineConfig, section: str) -> JsonValue:
    if section == "content":
        return [source.model_dump(mode="json") for source in config.content]
    if section == "export":
        return [each.model_dump(mode="json") for each in config.export]
    value = getattr(config, section)
    if value is None:
        return None
    dumped: dict[str, JsonValue] = value.model_dump(mode="json")
    if section == "model" and config.model.auto:  # a setting that is set to its default stays, another may be chosen
        dumped["is_set"] = list[JsonValue](sorted(config.model.model_fields_set))
    if section == "prepare" and config.prepare.is_without_decay:  # a half-life that is not set may be chosen
        dumped["half_life_days"] = "none"
    return dumped


def _sha256(tree: JsonValue) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()
