"""ArmTotals: sums over the users of one arm, all that rates, variances and intervals need."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recsys.errors import DataError

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ArmTotals:
    """Sums over users of a numerator N (clicks, users with a purchase) and a denominator D (lists, 1).

    `n`: users. `n_positive`: users with N above zero. `top`, `bottom`: sums of N and D; `top_squared`,
    `bottom_squared`, `product`: of N^2, D^2 and N D. A database sums them as well as numpy does.
    """

    n: int = 0
    n_positive: int = 0
    top: float = 0.0
    bottom: float = 0.0
    top_squared: float = 0.0
    bottom_squared: float = 0.0
    product: float = 0.0

    @classmethod
    def of(cls, top: Values, bottom: Values) -> Self:
        """The sums of `top` and `bottom`, float64 (n,), one value per user. Raises DataError if shapes differ."""
        if top.shape != bottom.shape:
            raise DataError(
                f"totals: {top.shape} numerators and {bottom.shape} denominators; expected the same users"
            )
        sums = (top, bottom, top * top, bottom * bottom, top * bottom)
        return cls(len(top), int(np.count_nonzero(top > 0)), *(float(each.sum()) for each in sums))

    def __add__(self, other: "ArmTotals") -> "ArmTotals":
        """The totals of both groups of users, which have none in common."""
        mine, yours = vars(self), vars(other)
        return ArmTotals(**{name: mine[name] + yours[name] for name in mine})

    @property
    def rate(self) -> float:
        """sum of N / sum of D; NaN if the latter is zero."""
        return self.top / self.bottom if self.bottom else float("nan")

    def unit_variance(self, rate: float | None = None) -> float:
        """n times the variance of the rate, by the delta method, users being independent; NaN below two users.

        (s_NN - 2 r s_ND + r^2 s_DD) / mean(D)^2, with s the sample (co)variances over users and r the rate (by
        default the arm's own): Deng, Knoblich and Lu, "Applying the Delta Method in Metric Analytics", KDD 2018.
        """
        if self.n < 2 or not self.bottom:
            return float("nan")
        r = self.rate if rate is None else rate
        centred = self.top_squared - 2 * r * self.product + r * r * self.bottom_squared
        mean = (self.top - r * self.bottom) / self.n
        spread = max(0.0, centred - self.n * mean * mean) / (self.n - 1)
        return spread / (self.bottom / self.n) ** 2
