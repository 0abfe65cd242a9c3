"""IndexFamily: what an approximate index adds to exact vectors, a structure that proposes candidates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.progress import Progress
from recsys.retrieval.families.cells import Cells


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


@dataclass(frozen=True)
class Visits:
    """What a query looks into: `probes` of `n_cells` cells, and `items` in them, on average."""

    n_cells: int
    probes: int
    items: float

    def divided(self, by: float) -> "Visits":
        """`by` times fewer cells, at least one, and items."""
        return Visits(self.n_cells, max(1, int(self.probes / by)), self.items / by)


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

    @property
    def in_cells(self) -> bool:
        """Whether it puts items into `Cells`, so that a trial of cells says what its queries must look into."""

    def least_nanoseconds(self, shape: tuple[int, int], visits: Visits | None) -> float:
        """The least that proposing for one query can cost, known before anything is built.

        `shape`: of the item vectors, (n_items, d). `visits`: the least that a trial found a query must look into;
        None without a trial. A family that cannot pay at this price is never built.
        """

    def building_nanoseconds(self, shape: tuple[int, int]) -> float:
        """Estimated work of `build` over item vectors of `shape` (n_items, d), with cells given, on one core."""

    def build(self, vectors: Floats, *, seed: int, progress: Progress, cells: Cells | None = None) -> Built:
        """Build over item vectors float32 (n_items, d), at least one; the same whatever the number of threads.

        `cells`: those of a trial, for a family that is `in_cells`.
        """

    def codes_alone(self, vectors: Floats, *, seed: int) -> Structure | None:
        """A structure that finds as much as that of `build` with any number of probes could, and takes less to make.

        For item vectors float32 (n_items, d). None if there is none, or it finds about all that is wanted.
        """

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
