"""How much work the choice of an index may take: counted, so that the same vectors lead to the same choice."""

from dataclasses import dataclass
from math import inf

from recsys.retrieval.index_config import IndexConfig

# Nanoseconds on one core: of one multiplication of a large product, and to look at one score.
MULTIPLICATION, _SCORE = 0.033, 4.0
# How many of two cores a fit keeps busy.
_CORES = 1.4


@dataclass
class Allowance:
    """Nanoseconds of one core, estimated from counted work. `spent` never exceeds `total`."""

    total: float = inf
    spent: float = 0.0

    def affords(self, work: float) -> bool:
        """Whether `work` is left."""
        return self.spent + work <= self.total

    def take(self, work: float) -> bool:
        """Spend `work`, if that much is left."""
        if not self.affords(work):
            return False
        self.spent += work
        return True


def allowed_work(fits: float, config: IndexConfig) -> float:
    """Nanoseconds of one core that the choice may take, if the fits of a night take `fits` of two cores."""
    return _CORES * fits * config.training_share


def exact_work(n_queries: int, shape: tuple[int, int]) -> float:
    """Nanoseconds in which exact search answers `n_queries` over item vectors of `shape` (n_items, d)."""
    n_items, factors = shape
    return n_queries * n_items * (factors * MULTIPLICATION + _SCORE)
