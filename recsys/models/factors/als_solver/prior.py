"""ItemPrior: vectors that items are pulled to instead of zero."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Floats
from recsys.errors import ModelError


@dataclass(frozen=True, eq=False)
class ItemPrior:
    """Replaces lambda_i |y_i|^2 in the objective by strength_i lambda_i |y_i - mean_i|^2.

    `mean`: float32 (n_items, d). `strength`: float32 (n_items,), above zero; 1 keeps lambda_i. With the mean 0 and
    the strength 1 an item has no prior. An item without entries gets exactly its mean.
    Raises ModelError if dtype, shape or values are different.
    """

    mean: Floats
    strength: Floats

    def __post_init__(self) -> None:
        if self.mean.dtype != np.float32 or self.mean.ndim != 2 or not np.isfinite(self.mean).all():
            raise ModelError(
                f"item prior: mean is {self.mean.dtype} {self.mean.shape}, expected finite float32 (n, d)"
            )
        expected = (len(self.mean),)
        if self.strength.dtype != np.float32 or self.strength.shape != expected:
            got = f"{self.strength.dtype} {self.strength.shape}"
            raise ModelError(f"item prior: strength is {got}, expected float32 {expected}")
        if not (np.isfinite(self.strength).all() and (self.strength > 0).all()):
            raise ModelError("item prior: strengths are not all finite and above zero")
