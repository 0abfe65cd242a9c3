"""AlsObjective: the settings of what ALS minimises, one place for training and fold-in."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Doubles, Indices


@dataclass(frozen=True)
class AlsObjective:
    """The numbers of the objective in `recsys.models.factors.als`, apart from the confidences.

    `regularization`: lambda. `regularization_exponent`: nu; 0 gives every row the same lambda. `unobserved_weight`:
    alpha0, what an entry that is not stored weighs.
    """

    regularization: float
    regularization_exponent: float = 0.0
    unobserved_weight: float = 1.0

    def row_regularization(self, n_entries: Indices, n_columns: int) -> Doubles:
        """Float64 (n,): lambda (n_row + alpha0 N)^nu of rows with `n_entries` int32 (n,) of `n_columns` entries.

        Frequency-scaled regularisation: Rendle, Krichene, Zhang, Koren, "Revisiting the Performance of iALS on Item
        Recommendation Benchmarks" (RecSys 2022).
        """
        weight = n_entries + self.unobserved_weight * n_columns
        scaled: Doubles = self.regularization * np.asarray(weight, np.float64) ** self.regularization_exponent
        return scaled
