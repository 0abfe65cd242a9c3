"""Which family of index is published: the cheapest that finds what exact search finds."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.progress import Progress, silent
from recsys.retrieval.allowance import Allowance
from recsys.retrieval.approximate_index import ApproximateIndex
from recsys.retrieval.automatic_choice import AutomaticChoice
from recsys.retrieval.candidate import Candidate, NotBuilt, exact_candidate, try_family
from recsys.retrieval.families.cells import Cells
from recsys.retrieval.families.family import Family
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex, build_index
from recsys.retrieval.index_config import AUTO, IndexConfig
from recsys.retrieval.measurement import Held, Sample, answered, worst
from recsys.retrieval.search import VectorIndex

logger = logging.getLogger(__name__)

PAYS_ABOVE = 2**20
"""With fewer floats of item vectors (4 MiB: 16,384 items of 64 factors) exact search takes a quarter of a
millisecond."""

MUST_PAY = 2.2
"""An approximation is published only if it is estimated this many times as fast as exact search: it may miss items,
and if queries arrive together, exact search gains more by sharing its product."""


@dataclass(frozen=True, eq=False)
class Choice:
    """The index to publish, every candidate for it, exact search first, and the families that were not built.

    `cells`: those that a trial refined, if there was one.
    """

    index: VectorIndex
    candidates: tuple[Candidate, ...]
    not_built: tuple[NotBuilt, ...] = ()
    cells: Cells | None = None

    @property
    def chosen(self) -> Candidate:
        """The candidate that `index` is."""
        return next(each for each in self.candidates if each.kind == self.index.kind)

    def summary(self) -> dict[str, object]:
        """Plain values for the step's summary, the manifest and the report."""
        chosen = self.chosen
        return {
            "kind": chosen.kind,
            **chosen.parameters,
            **worst(chosen.recall),
            "candidates": [vars(each) | {"published": each is chosen} for each in self.candidates],
            **({"not_built": [vars(each) for each in self.not_built]} if self.not_built else {}),
        }


def choose_index(
    vectors: Floats,
    queries: Floats,
    config: IndexConfig,
    *,
    exclude: Csr | None = None,
    cells: Cells | None = None,
    allowance: Allowance | None = None,
    pays_above: int = PAYS_ABOVE,
    must_pay: float = MUST_PAY,
    progress: Progress = silent,
) -> Choice:
    """Index `vectors`, float32 (n_items, d), as `config` says, and measure it on `queries`.

    `queries`: float32 (n, d), like those of the service; half of them tune, recall is measured on the others.
    `exclude`: CSR (n, n_items), what each must not get. With fewer than `pays_above` floats of vectors, `auto` keeps
    exact search unmeasured. Otherwise it publishes the cheapest candidate that meets the target in every situation
    and that is estimated `must_pay` times as quick as exact search; a family that cannot be is not built.
    `cells`: those of a choice for vectors of the same directions, for the trial to begin with. `allowance`: the work
    that `auto` may take; without it, any. Estimates count work and look at no clock, so the same vectors and the
    same allowance always lead to the same choice.
    Raises ModelError if a family asked for by name misses the target, or `vectors` cannot be searched.
    """
    exact = build_index(vectors, progress=progress)
    sample = Sample(queries, exclude).asked()
    families = _families(config, exact, pays_above) if len(sample.vectors) > 1 else ()
    if not families:
        return Choice(exact, (exact_candidate(exact, sample),))
    tuning, held = sample.halves()
    if config.kind != AUTO:
        return _by_name(families[0], exact, tuning, held, config=config, progress=progress)
    auto = AutomaticChoice(families, exact, config, must_pay=must_pay, allowance=allowance or Allowance())
    auto.run(tuning, held, start=cells, progress=progress)
    candidates = (exact_candidate(exact, held), *(candidate for _, candidate in auto.tried))
    for each in (*candidates, *auto.not_built):
        logger.info("candidate %s", vars(each))
    return Choice(_cheapest(exact, auto.tried, must_pay), candidates, tuple(auto.not_built), auto.refined)


def _families(config: IndexConfig, exact: FlatIndex, pays_above: int) -> Sequence[Family]:
    if config.kind == AUTO:
        return [family for family in FAMILIES.values() if family.automatic and exact.vectors.size >= pays_above]
    return () if config.kind == FlatIndex.kind else (FAMILIES[config.kind],)


def _by_name(
    family: Family, exact: FlatIndex, tuning: Sample, held: Sample, *, config: IndexConfig, progress: Progress
) -> Choice:
    """`family`, whether it pays or not. Raises ModelError if it misses the target."""
    index, candidate = try_family(
        family, exact, answered(tuning, exact), Held(held, exact), config=config, progress=progress
    )
    logger.info("candidate %s", vars(candidate))
    return Choice(_asked_for(index, candidate, config), (exact_candidate(exact, held), candidate))


def _cheapest(exact: FlatIndex, tried: Sequence[tuple[ApproximateIndex, Candidate]], must_pay: float) -> VectorIndex:
    limit = exact.estimated_microseconds(exact.vectors[:0])
    paying = [
        (candidate.estimated_microseconds, at)
        for at, (_, candidate) in enumerate(tried)
        if candidate.meets_target and candidate.estimated_microseconds * must_pay <= limit
    ]
    return tried[min(paying)[1]][0] if paying else exact


def _asked_for(index: ApproximateIndex, candidate: Candidate, config: IndexConfig) -> ApproximateIndex:
    if not candidate.meets_target:
        situation, recall = min(candidate.recall.items(), key=lambda item: item[1])
        raise ModelError(
            f"index.kind = {config.kind!r} reaches a recall of {recall:.4f} ({situation}); expected at least "
            f"index.recall_target = {config.recall_target}; 'auto' looks for a family that does"
        )
    return index
