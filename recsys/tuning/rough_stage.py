"""The first stage of a short search: candidates and half-lives at a low dimension, on a sample of a large log."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from recsys.models.factors.config import FactorModelConfig
from recsys.tuning.half_life import MOST_TRIED, first_half_lives, half_lives_around
from recsys.tuning.matrices import Matrices
from recsys.tuning.open_settings import at_size, candidate_models, steps_around, with_all_to_find
from recsys.tuning.trial_fits import Fits, Tried, best_fit, rough_fit_work, rough_work, score_of
from recsys.tuning.validation import ValidationSet

_LOW = 64  # the dimension, at most
_FINALISTS = 3
_SHARE = 0.4  # of the work of the search
_FITS = 11  # that are made if the work allows it
_ENOUGH = 1.5  # times the work of one of these: the whole log is worth a few candidates less
_FEW_USERS = (500, 1_000)  # validation users on a large log; it trains on 1,000 at least


@dataclass(frozen=True)
class Sampling:
    """How many users are trained on, and how many validation users there are, drawn by `seed`."""

    n_train: int
    n_users: int
    seed: int

    @staticmethod
    def of(matrices: Matrices, low: FactorModelConfig, *, seed: int) -> "Sampling":
        """So many that a stage can make all its fits within its share of the work."""
        data, share = matrices.as_configured, _SHARE * matrices.budget.limit
        n_fits, weighing = _FITS, 0.0
        if matrices.may_decay:
            n_fits += MOST_TRIED + _FINALISTS - 1
            weighing = min(MOST_TRIED * matrices.work, share / 2)
        each = (share - weighing) / n_fits
        if (work := rough_work(data, low)) <= _ENOUGH * each:
            return Sampling(sys.maxsize, sys.maxsize, seed)
        fit = rough_fit_work(data, low)
        measuring = (work - fit) / max(1, len(data.user))
        n_users = min(_FEW_USERS[1], max(_FEW_USERS[0], int(each / 2 / measuring)))
        part = max(each - n_users * measuring, each / 4) / fit
        return Sampling(max(_FEW_USERS[1], int(data.train.n_users * part)), n_users, seed)

    def drawn_from(self, data: ValidationSet) -> ValidationSet:
        """The sample of `data`; itself if it has no more users."""
        return data.sample(self.n_train, self.n_users, seed=self.seed)


@dataclass(frozen=True, eq=False)
class RoughStage:
    """Fits of `section` at a low dimension, with few iterations. `keys`: the settings to choose."""

    section: FactorModelConfig
    keys: frozenset[str]
    factors: int
    matrices: Matrices
    sampling: Sampling
    fits: Fits

    @staticmethod
    def of(
        section: FactorModelConfig,
        keys: frozenset[str],
        sizes: Iterable[int],
        *,
        matrices: Matrices,
        fits: Fits,
        seed: int,
    ) -> "RoughStage":
        """The stage at the highest of `sizes` that is low."""
        factors = max((size for size in sizes if size <= _LOW), default=_LOW)
        sampling = Sampling.of(matrices, at_size(section, factors), seed=seed)
        return RoughStage(section, keys, factors, matrices, sampling, fits)

    def finalists(self) -> list[Tried]:
        """The best few, best first, all with one half-life."""
        sample = self.sampling.drawn_from(self.matrices.as_configured)
        candidates = candidate_models(self.section, self.keys, sample.train.csr)
        tried = self._tried(sample, (at_size(model, self.factors) for model in candidates))
        if tried and self.matrices.may_decay:
            sample, tried = self._under_best_half_life(sample, tried)
        if tried:
            tried += self._tried(sample, steps_around(best_fit(tried).model, self.keys, sample.train.csr))
        return sorted(tried, key=score_of, reverse=True)[:_FINALISTS]

    def _tried(self, sample: ValidationSet, models: Iterable[FactorModelConfig]) -> list[Tried]:
        fits = (self.fits.fit(sample, model, roughly=True, share=_SHARE) for model in models)
        return [each for each in fits if each]

    def _under_best_half_life(self, sample: ValidationSet, tried: list[Tried]) -> tuple[ValidationSet, list[Tried]]:
        """Sample and fits under the half-life that suits the best model; the same ones if no decay is better."""
        ordered = sorted(tried, key=score_of, reverse=True)
        undecayed = best = (ordered[0], sample)
        for days in first_half_lives(self.matrices.events):
            best = self._better(best, ordered[0].model, days)
        if best is undecayed:
            return sample, tried
        for days in half_lives_around(best[0].half_life_days or 0.0):
            best = self._better(best, ordered[0].model, days)
        others = (with_all_to_find(each.model, self.keys) for each in ordered[1:_FINALISTS])
        return best[1], [best[0], *self._tried(best[1], others)]

    def _better(
        self, best: tuple[Tried, ValidationSet], model: FactorModelConfig, days: float
    ) -> tuple[Tried, ValidationSet]:
        """`best`, or `model` under another half-life and its sample, if the work allows that and it is better."""
        if not self.matrices.budget.allows(self.matrices.work, _SHARE):
            return best
        sample = self.sampling.drawn_from(self.matrices.under(days))
        fitted = self._tried(sample, [with_all_to_find(model, self.keys)])
        return (fitted[0], sample) if fitted and fitted[0].score > best[0].score else best
