"""Where each step keeps its outputs, and how a step knows that they are still the right ones."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.errors import DataError
from recsys.pipeline_config import PipelineConfig

STEPS = ("prepare", "evaluate", "train", "index", "publish")
"""The nightly job, in order; each step reads only what the ones before it wrote."""

# The sections of the configuration that a step reads itself.
_SETTINGS = {
    "prepare": ("log", "items", "prepare"),
    "evaluate": ("evaluate", "model"),
    "train": ("model",),
    "index": ("index",),
    "publish": ("publish",),
}

_RECORD = "step.json"


@dataclass(frozen=True)
class Workspace:
    """The folder of one pipeline's intermediate results and of its report."""

    root: Path

    def folder(self, step: str) -> Path:
        """The outputs of one step; they exist only when the step ended well."""
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
    def quarantine(self) -> Path:
        """Refused rows with file, line and reason."""
        return self.root / "quarantine.jsonl"

    def summary(self, step: str) -> dict[str, Any]:
        """What the step said of its work. Raises DataError where it has not run."""
        return dict(self._record(step)["summary"])

    def require(self, step: str, config: PipelineConfig) -> Path:
        """The folder of a step that ran under these very settings, on its predecessors' present outputs.

        Raises DataError where it has not run or is out of date, and says what to type.
        """
        record, again = self._record(step), f"run `recsys run CONFIG --from {step}` or an earlier step again"
        if record["settings"] != _settings(step, config):
            sections = " or ".join(f"[{name}]" for name in _SETTINGS[step])
            raise DataError(f"{self.folder(step)}: {sections} has changed since it was made; {again}")
        if before := _before(step):
            self.require(before, config)
            if record["after"] != self._record(before)["identity"]:
                raise DataError(f"{self.folder(step)}: made from an earlier run of {before}; {again}")
        return self.folder(step)

    @contextmanager
    def output(self, step: str, config: PipelineConfig) -> Iterator["StepOutput"]:
        """A fresh folder to write into; it takes the old one's place only when the block ends well."""
        self.root.mkdir(parents=True, exist_ok=True)
        fresh = self.root / f".{step}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        output = StepOutput(fresh, {}, {})
        yield output
        record = self._new_record(step, config, output)
        (fresh / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(self.folder(step), ignore_errors=True)
        fresh.rename(self.folder(step))

    def _new_record(self, step: str, config: PipelineConfig, output: "StepOutput") -> dict[str, Any]:
        before = _before(step)
        made_of = {
            "settings": _settings(step, config),
            "after": self._record(before)["identity"] if before else output.summary["fingerprints"],
            **output.inputs,
        }
        return {"step": step, **made_of, "identity": _sha256(made_of), "summary": output.summary}

    def _record(self, step: str) -> dict[str, Any]:
        path = self.folder(step) / _RECORD
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DataError(f"{path}: {step} has not run yet; run `recsys {step} CONFIG` first") from error
        return record


@dataclass(frozen=True)
class StepOutput:
    """What a running step fills: a folder of files, and a summary for people and for the manifest.

    `inputs`: what else it was made of, beside settings and the step before; part of the identity of its outputs.
    """

    folder: Path
    summary: dict[str, Any]
    inputs: dict[str, Any]


def _before(step: str) -> str | None:
    at = STEPS.index(step)
    return STEPS[at - 1] if at else None


def _settings(step: str, config: PipelineConfig) -> str:
    sections = {name: _dumped(config, name) for name in _SETTINGS[step]}
    if step == "prepare":
        sections["holdout_paths"] = [str(path) for path in config.evaluate.holdout_paths]
    return _sha256(sections)


def _dumped(config: PipelineConfig, section: str) -> Any:
    value = getattr(config, section)
    return None if value is None else value.model_dump(mode="json")


def _sha256(tree: Any) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()
