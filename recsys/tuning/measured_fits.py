"""Fits that are looked at after every iteration: one fit tries every number of iterations and every exponent."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from recsys.config import ModelConfig
from recsys.data.arrays import Floats
from recsys.data.confidence import ConfidenceWeighting, fit_confidence
from recsys.errors import ModelError
from recsys.evaluation.metrics import Values
from recsys.models.factors.als import OnIteration, fit_als
from recsys.models.factors.fold_in import fold_in
from recsys.progress import Progress, silent
from recsys.tuning.validation import Questions

EXPONENTS = tuple(round(0.05 * step, 2) for step in range(-10, 13))
"""The popularity exponents that are tried, -0.5 to 0.6."""

_COARSE = 3  # on the first look, every third of them
_PATIENCE = 2  # iterations without a better score


@dataclass(frozen=True, eq=False)
class Measured:
    """What settings reached. `per_user`: float64 (n_users,), the metric of each validation user."""

    iterations: int
    popularity_exponent: float
    per_user: Values

    @property
    def score(self) -> float:
        """The mean over the users."""
        return float(self.per_user.mean())


class _EnoughError(Exception):
    """Ends a fit from within."""


def measure(questions: Questions, model: ModelConfig, *, keep_on: Callable[[], bool]) -> Measured | None:
    """What `model` reaches exactly as it is; None where `keep_on`, asked after each iteration, ended the fit.

    Raises ModelError where the fit fails.
    """
    found: list[Measured] = []

    def look(done: int, vectors: Floats, items: Floats) -> None:
        if done == model.iterations:
            found.append(_best(questions, vectors, items, (model.popularity_exponent,), done))
        elif not keep_on():
            raise _EnoughError

    _fit(questions, model, look)
    return found[0] if found else None


def follow(questions: Questions, model: ModelConfig, *, progress: Progress = silent) -> tuple[Measured, ...]:
    """What `model` reaches after each iteration, up to its own number or until two in turn brought nothing.

    Raises ModelError where the fit fails.
    """
    found: list[Measured] = []

    def look(done: int, vectors: Floats, items: Floats) -> None:
        found.append(_best(questions, vectors, items, (model.popularity_exponent,), done))
        if done - best_of(found).iterations >= _PATIENCE:
            raise _EnoughError

    _fit(questions, model, look, progress=progress)
    return tuple(found)


def best_of(found: Sequence[Measured]) -> Measured:
    """The best, of equal ones the first."""
    return max(found, key=lambda measured: measured.score)


def explore(questions: Questions, model: ModelConfig, *, keep_on: Callable[[int, float], bool]) -> Measured | None:
    """The best number of iterations, up to that of `model`, and popularity exponent for its other settings.

    `keep_on` is asked after each iteration with its number and score; the fit also ends when two iterations in turn
    brought nothing. None where no iteration was reached. Raises ModelError where the fit fails.
    """
    best: Measured | None = None

    def look(done: int, vectors: Floats, items: Floats) -> None:
        nonlocal best
        now = _best_exponent(questions, vectors, items, done, near=best)
        best = now if best is None or now.score > best.score else best
        if not keep_on(done, now.score) or done - best.iterations >= _PATIENCE:
            raise _EnoughError

    _fit(questions, model, look)
    return best


def _fit(questions: Questions, model: ModelConfig, look: OnIteration, *, progress: Progress = silent) -> None:
    """Fit; `look` is given the vectors of the users that are asked about, instead of all users'."""
    weighting = fit_confidence(questions.train, model)
    start = None
    if model.start == "spectral":
        start = questions.spectral_start(model.factors, seed=model.seed, progress=progress)

    def watch(done: int, users: Floats, items: Floats) -> None:
        if not (np.isfinite(users).all() and np.isfinite(items).all()):
            raise ModelError(f"als: the vectors are not finite after {done} iterations")
        look(done, _vectors(questions, users, items, weighting, model.regularization), items)

    with suppress(_EnoughError):
        fit_als(weighting.apply(questions.train), model, start=start, watch=watch, progress=progress)


def _vectors(
    questions: Questions, users: Floats, items: Floats, weighting: ConfidenceWeighting, regularization: float
) -> Floats:
    if questions.user_idx is None:
        return fold_in(questions.history, items, weighting=weighting, regularization=regularization)
    return users[questions.user_idx]


def _best_exponent(
    questions: Questions, vectors: Floats, items: Floats, done: int, *, near: Measured | None
) -> Measured:
    """A coarse look, then the neighbours of the best so far: the metric has one peak along the exponent."""
    coarse = EXPONENTS[::_COARSE] if near is None else (near.popularity_exponent,)
    best = _best(questions, vectors, items, coarse, done)
    at = EXPONENTS.index(best.popularity_exponent)
    beside = [EXPONENTS[side] for side in (at - 1, at + 1) if 0 <= side < len(EXPONENTS)]
    return max(best, _best(questions, vectors, items, beside, done), key=lambda measured: measured.score)


def _best(
    questions: Questions, vectors: Floats, items: Floats, exponents: tuple[float, ...] | list[float], done: int
) -> Measured:
    values = questions.scores(vectors, items, exponents)
    at = int(values.mean(axis=1).argmax())
    return Measured(done, exponents[at], values[at].copy())
