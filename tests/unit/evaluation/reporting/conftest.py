from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import pytest

from recsys.config import EvaluateConfig
from recsys.evaluation.provenance import Provenance, SplitSummary
from recsys.evaluation.reporting.report import Details, Judgement, Report, build_report
from recsys.evaluation.results import Evaluation

SPLIT = SplitSummary(
    kind="temporal",
    cut=1_320_969_600,
    counts={"n_train_users": 4100, "n_eval_users": 3},
    dropped={"new_user": 1203, "already_seen": 7},
    dropped_users={"new_user": 320},
)


@pytest.fixture(scope="session")
def split_summary() -> SplitSummary:
    """What a temporal split held out and left out."""
    return SPLIT


@pytest.fixture(scope="session")
def built() -> Callable[..., Report]:
    """A report; its parts are given by name, wherever in it they belong."""

    def make(evaluations: Sequence[Evaluation], *, metric: str, evaluate: EvaluateConfig, **parts: Any) -> Report:
        def pick(kind: type) -> dict[str, Any]:
            return {field.name: parts.pop(field.name) for field in fields(kind) if field.name in parts}

        notes = parts.pop("notes", ())
        told = Provenance(**{"split": SPLIT, **pick(Provenance)})
        judgement, details = Judgement(**pick(Judgement)), Details(**pick(Details))
        assert not parts
        return build_report(
            evaluations, told, metric=metric, evaluate=evaluate, judgement=judgement, details=details, notes=notes
        )

    return make
