"""AlsTask: what one fit of ALS is given, whichever solver makes it; AlsFit: what it learned."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.progress import Progress

if TYPE_CHECKING:
    from recsys.models.factors.als import AlsConfig

OnVectors = Callable[[int, Floats, Floats], None]
"""Called with the number of iterations done, and users float32 (n_users, d) and items float32 (n_items, d) so far.

The solver continues with these arrays: read or copy them, do not write. An exception ends the fit and propagates.
"""


@dataclass(frozen=True, eq=False)
class AlsFit:
    """What a fit learned.

    `users`: float32 (n_users, d). `items`: float32 (n_items, d). C-contiguous and finite.
    `losses`: after each iteration, the objective divided by the sum of all c_ui; empty unless `config.log_loss`.
    """

    users: Floats
    items: Floats
    losses: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class AlsTask:
    """The arguments of `fit_als`, checked."""

    confidence: Csr
    config: "AlsConfig"
    start: tuple[Floats, Floats] | None
    overwrite_start: bool
    progress: Progress
    on_iteration: OnVectors | None

    def copied_start(self) -> tuple[Floats, Floats] | None:
        """Vectors to start from that the solver may change; None if it draws them."""
        if self.start is None:
            return None
        copy = None if self.overwrite_start else True
        users, items = (np.array(array, np.float32, order="C", copy=copy) for array in self.start)
        return users, items

    def finite(self, users: Floats, items: Floats) -> tuple[Floats, Floats]:
        """The same vectors. Raises ModelError if a number is not finite."""
        if not (np.isfinite(users).all() and np.isfinite(items).all()):
            raise self.not_finite()
        return users, items

    def not_finite(self) -> ModelError:
        """What a fit ends with whose vectors are not finite."""
        return ModelError(
            f"als: the vectors are not finite within {self.config.iterations} iterations; likely cause:"
            f" regularization {self.config.regularization:g} is too small for confidences up to"
            f" {self.confidence.data.max():g}"
        )
