"""IndexFamily: what an approximate index adds to exact vectors, a structure that proposes candidates."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.progress import Progress


class Structure(Protocol):
    """Proposes items that may be among the best for a query; `ApproximateIndex` ranks them by their exact vectors.

    Searching changes nothing, so threads may share one.
    """

    def propose(self, queries: Floats, probes: int, count: int) -> NDArray[np.int64]:
        """int64 (n, count): positions of items, each at most once per row; values outside 0 to n_items are ignored.

        `queries`: float32 (n, d), none all zero. `probes`: search effort. The result of a query does not depend on
        the other queries.
        """

    def to_bytes(self) -> bytes | memoryview:
        """What `IndexFamily.load` reads."""


Built = TypeVar("Built", bound=Structure)


class IndexFamily(Protocol[Built]):
    """One kind of approximate index. Stateless."""

    @property
    def name(self) -> str:
        """What `index.kind`, files and reports call it."""

    @property
    def automatic(self) -> bool:
        """Whether `index.kind = "auto"` tries it."""

    @property
    def candidates(self) -> Sequence[int]:
        """The numbers of candidates to try, compared by their exact vectors: the coarser the structure, the more."""

    def build(self, vectors: Floats, *, seed: int, progress: Progress) -> Built:
        """Build over item vectors float32 (n_items, d), at least one; the same whatever the number of threads."""

    def load(self, data: memoryview, shape: tuple[int, int]) -> Built:
        """The structure that `to_bytes` wrote, over vectors of `shape` (n_items, d); it may keep `data` in use.

        Raises ValueError or RuntimeError if `data` holds something else.
        """

    def probes(self, structure: Built) -> Sequence[int]:
        """The numbers of probes to try, ascending; more find more."""

    def nanoseconds(self, structure: Built, queries: Floats, probes: int) -> float:
        """Estimated cost of proposing for one query, averaged over `queries`, float32 (n, d), none all zero.

        From counts of what is done, by prices measured once on one core (`benchmarks/indexes.py` prints the clock
        beside): the same on every machine and at every hour, so that a busy machine does not publish another index.
        """


Family: TypeAlias = IndexFamily[Any]
"""A family, whatever the type of its structure."""
