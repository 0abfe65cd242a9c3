"""Acceptance: gates that an operator lets pass on purpose, for one night."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from recsys.errors import ConfigError
from recsys.evaluation.gates import Gate
from recsys.evaluation.night_gates import NIGHT_GATES
from recsys.suggestions import unknown_key_hint

QUALITY_GATES = ("beats_popular", "no_metric_drop", "no_coverage_drop")
"""The names of the gates of `check_gates`."""


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """`names` without repeats. Raises ConfigError for one that no gate has, with the nearest name."""
    known = (*QUALITY_GATES, *NIGHT_GATES)
    for name in (distinct := tuple(dict.fromkeys(names))):
        if name not in known:
            raise ConfigError(f"--accept {name}: no gate has this name{unknown_key_hint(name, known)}")
    return distinct


def accept(gates: Iterable[Gate], names: Sequence[str]) -> tuple[Gate, ...]:
    """The gates; one of `names` that is not met is accepted, so that it does not refuse."""
    return tuple(replace(gate, accepted=not gate.passed and gate.name in names) for gate in gates)
