"""The candidates of `index.kind = "auto"`: a bound first, then a trial of cells, and only then an index."""

from collections.abc import Sequence
from math import ceil, floor, inf

from recsys.progress import Progress
from recsys.retrieval.allowance import MULTIPLICATION, Allowance, exact_work
from recsys.retrieval.approximate_index import TUNED_K, ApproximateIndex, SearchParameters, least_microseconds
from recsys.retrieval.candidate import Candidate, NotBuilt, try_family
from recsys.retrieval.families.cells import AGAIN, QUICK, REFINED, Cells, Effort, count_cells, learn_cells
from recsys.retrieval.families.family import Family, Visits
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex
from recsys.retrieval.index_config import IndexConfig
from recsys.retrieval.measurement import Answered, Held, Sample, answered
from recsys.retrieval.parameter_search import may_be_enough
from recsys.retrieval.trial import SAMPLED, least_visits

WORTH_ANOTHER = 1.25
"""A further family is built only if it can be this many times as fast as the best one so far."""

_EVERY, _REFINEMENT = 4, 2.2
"""A quick trial asks one in so many queries, with nothing left out. With its cells a query looks into up to so many
times as much as with refined ones."""

_TUNING_SEARCHES, _MEASURED_SEARCHES, _FILTERED = 8, 5, 2
"""Searches for each tuning query: two parameters in four situations. For each other query: four situations and a
filter, and what exact search does for filters, in scans of all items."""


class AutomaticChoice:
    """Families that may pay over the vectors of `exact`: each is at last tried or not, and then with a reason."""

    def __init__(
        self,
        families: Sequence[Family],
        exact: FlatIndex,
        config: IndexConfig,
        *,
        must_pay: float,
        allowance: Allowance,
    ) -> None:
        self.exact, self.config, self.must_pay, self.allowance = exact, config, must_pay, allowance
        self.refined: Cells | None = None
        self.tried: list[tuple[ApproximateIndex, Candidate]] = []
        self.not_built: list[NotBuilt] = []
        self._remaining = list(families)
        self._shape = exact.items.shape
        self._exactly = exact.estimated_microseconds(exact.vectors[:0])

    def run(self, tuning: Sample, held: Sample, *, start: Cells | None, progress: Progress) -> None:
        """Try what can pay. `start`: cells to begin with, refined ones for vectors of the same directions."""
        self._drop_what_cannot_pay(None)
        refining = REFINED if start is None else AGAIN
        self._drop_what_is_not_allowed(tuning, held, refining)
        quick = self._quick_trial(tuning.rows(slice(0, None, _EVERY)), start)
        if (asked := self._answered(tuning)) is None:
            return
        visits = self._refined_trial(asked, quick, refining)
        measuring = Held(held, self.exact)
        for family in tuple(self._remaining):
            best = min((each.estimated_microseconds for _, each in self.tried if each.meets_target), default=inf)
            if not self._pays_beside(family, visits, best) or not self._take(
                self._trying_work(family, visits, tuning, held), family
            ):
                continue
            self._try(family, asked, measuring, visits, min(self._limit, best), progress)

    @property
    def _limit(self) -> float:
        """Microseconds that a query may take at most."""
        return self._exactly / self.must_pay if self.must_pay else inf

    def _answered(self, sample: Sample) -> Answered | None:
        """None if no families remain, or that is more work than allowed."""
        return answered(sample, self.exact) if self._remaining and self._take(self._asking_work(sample)) else None

    def _asking_work(self, sample: Sample) -> float:
        """Nanoseconds in which exact search answers `sample` in every situation."""
        return exact_work(len(sample.vectors) * (1 if sample.exclude is None else 2), self._shape)

    def _quick_trial(self, some: Sample, start: Cells | None) -> Cells | None:
        """Ask a few queries, over the cells of `start`, or over cells that take little work to learn."""
        if not self._has_cells() or (asked := self._answered(Sample(some.vectors))) is None:
            return None
        if not self._take(self._trial_work(QUICK, len(asked))):
            return None
        cells = start or learn_cells(self.exact.vectors, seed=self.config.seed, effort=QUICK)
        visits = self._least_visits(cells, asked).divided(_REFINEMENT)
        self._drop_what_cannot_pay(visits)
        self._drop_if_too_coarse(some, visits)
        return cells

    def _drop_if_too_coarse(self, some: Sample, visits: Visits) -> None:
        """Drop the last family if its codes find too little with as many candidates as it can pay for.

        Only the last: for another, cells are refined anyway, and its index tells whether this one is worth a try.
        What this takes is counted as a part of building it, in place of which it comes.
        """
        if len(self._remaining) != 1:
            return
        (family,) = self._remaining
        most = max(count for count in family.candidates if self._pays(family, visits, count))
        if most == max(family.candidates):
            return
        codes = family.codes_alone(self.exact.vectors, seed=self.config.seed)
        if codes is None:
            return
        index = ApproximateIndex(family, codes, self.exact, parameters=SearchParameters(1, most))
        if not may_be_enough(answered(some, self.exact), self.config.recall_target, index):
            self._drop(
                family,
                f"its codes alone miss index.recall_target with {most} candidates compared, and with more the best "
                f"case is not {self.must_pay} times as quick as exact search",
            )

    def _pays(self, family: Family, visits: Visits, candidates: int) -> bool:
        return least_microseconds(family, self._shape, visits, candidates=candidates) <= self._limit

    def _refined_trial(self, asked: Answered, start: Cells | None, effort: Effort) -> Visits | None:
        """Ask all queries, over the cells that are built on: what they look into at least."""
        if not self._has_cells() or not self._take(self._trial_work(effort, len(asked))):
            return None
        self.refined = learn_cells(self.exact.vectors, seed=self.config.seed, effort=effort, start=start)
        visits = self._least_visits(self.refined, asked)
        self._drop_what_cannot_pay(visits)
        return visits

    def _least_visits(self, cells: Cells, asked: Answered) -> Visits:
        return least_visits(cells, self.exact, asked, target=self.config.recall_target, seed=self.config.seed)

    def _has_cells(self) -> bool:
        return any(family.in_cells for family in self._remaining)

    def _trial_work(self, effort: Effort, n_queries: int) -> float:
        """Nanoseconds: to learn cells, and to find those of the answers and of a sample of the items."""
        n_items, _ = self._shape
        placed = min(n_items, SAMPLED) + min(n_items, TUNED_K * n_queries)
        learning = effort.multiplications(self._shape)
        sample = min(n_items, effort.per_cell * count_cells(n_items))
        return MULTIPLICATION * learning * (1 + placed / (effort.rounds * sample))

    def _drop_what_cannot_pay(self, visits: Visits | None) -> None:
        for family in tuple(self._remaining):
            best_case = least_microseconds(family, self._shape, visits)
            if best_case > self._limit:
                times = _rounded_down(self._exactly / best_case)
                self._drop(
                    family,
                    f"the best case is {times} times as quick as exact search, {self.must_pay} are wanted",
                )

    def _pays_beside(self, family: Family, visits: Visits | None, best: float) -> bool:
        """Whether `family` can be clearly quicker than the best so far, of `best` microseconds."""
        best_case = least_microseconds(family, self._shape, visits)
        if best_case * WORTH_ANOTHER <= best:
            return True
        times = _rounded_down(best / best_case)
        self._drop(
            family,
            f"the best case is {times} times as quick as the best so far, {WORTH_ANOTHER} are wanted",
        )
        return False

    def _trying_work(self, family: Family, visits: Visits | None, tuning: Sample, held: Sample) -> float:
        """Nanoseconds: to build `family`, to tune it and to measure it."""
        query = 1000 * least_microseconds(family, self._shape, visits)
        searches = _TUNING_SEARCHES * len(tuning.vectors) + _MEASURED_SEARCHES * len(held.vectors)
        filtered = exact_work(_FILTERED * len(held.vectors), self._shape)
        return family.building_nanoseconds(self._shape) + searches * query + filtered + self._asking_work(held)

    def _drop_what_is_not_allowed(self, tuning: Sample, held: Sample, refining: Effort) -> None:
        """Before any work: a trial is in vain if what it recommends cannot be built."""
        before = self._asking_work(tuning)
        if self._has_cells():
            few = len(tuning.vectors) // _EVERY
            before += exact_work(few, self._shape) + self._trial_work(QUICK, few)
            before += self._trial_work(refining, len(tuning.vectors))
        for family in tuple(self._remaining):
            work = before + self._trying_work(family, None, tuning, held)
            if not self.allowance.affords(work):
                self._drop(family, self._too_much(work))

    def _take(self, work: float, *families: Family) -> bool:
        """Spend `work` for `families`, by default all that remain; drop them if it is not allowed."""
        if self.allowance.take(work):
            return True
        for family in families or tuple(self._remaining):
            self._drop(family, self._too_much(work))
        return False

    def _too_much(self, work: float) -> str:
        """The reason that `work` is not done; rounded up, so that a little too much does not look like enough."""
        needed = ceil(100 * (self.allowance.spent + work) / self.allowance.total) / 100
        return f"choosing would take {needed} times the work that index.training_share allows"

    def _try(
        self,
        family: Family,
        tuning: Answered,
        held: Held,
        visits: Visits | None,
        limit: float,
        progress: Progress,
    ) -> None:
        self._remaining.remove(family)
        self.tried.append(
            try_family(
                family,
                self.exact,
                tuning,
                held,
                config=self.config,
                progress=progress,
                cells=self.refined if family.in_cells else None,
                least_probes=visits.probes if visits and family.in_cells else 1,
                limit=limit,
            )
        )

    def _drop(self, family: Family, reason: str) -> None:
        self._remaining.remove(family)
        self.not_built.append(NotBuilt(family.name, reason))


def most_work(shape: tuple[int, int], n_queries: int) -> float:
    """Nanoseconds of one core in which `auto` has built every family, over item vectors of `shape` (n_items, d)."""
    learning = MULTIPLICATION * (QUICK.multiplications(shape) + REFINED.multiplications(shape))
    building = sum(family.building_nanoseconds(shape) for family in FAMILIES.values() if family.automatic)
    return learning + building + exact_work((2 + _FILTERED) * n_queries, shape)


def _rounded_down(times: float) -> float:
    """To two digits: what is just too little does not look like enough."""
    return floor(times * 100) / 100
