"""Which family of index is published: the cheapest that finds what exact search finds."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.progress import Progress, silent
from recsys.retrieval.approximate_index import ApproximateIndex, build_approximate
from recsys.retrieval.families.family import Family
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex, build_index
from recsys.retrieval.index_config import AUTO, IndexConfig
from recsys.retrieval.measurement import Sample, measure, microseconds_of, worst
from recsys.retrieval.parameter_search import cheapest_parameters
from recsys.retrieval.search import VectorIndex

logger = logging.getLogger(__name__)

PAYS_ABOVE = 2**20
"""With fewer floats of item vectors (4 MiB: 16,384 items of 64 factors) exact search takes a quarter of a
millisecond."""

MUST_PAY = 2.2
"""An approximation is published only if it is estimated this many times as fast as exact search: it may miss items,
and if queries arrive together, exact search gains more by sharing its product."""


@dataclass(frozen=True)
class Candidate:
    """One index that was built and measured.

    `parameters`: its search parameters. `bytes`: of its files, without the vectors, which every family keeps.
    `recall`: situation to recall, on queries it was not tuned on. `microseconds`: one query alone by the clock of
    this run; `estimated_microseconds`: the same from counted work, by which families are compared.
    """

    kind: str
    parameters: Mapping[str, int]
    build_seconds: float
    bytes: int
    recall: Mapping[str, float]
    microseconds: float
    estimated_microseconds: float
    meets_target: bool


@dataclass(frozen=True, eq=False)
class Choice:
    """The index to publish, and every candidate for it, exact search first."""

    index: VectorIndex
    candidates: tuple[Candidate, ...]

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
        }


def choose_index(
    vectors: Floats,
    queries: Floats,
    config: IndexConfig,
    *,
    exclude: Csr | None = None,
    pays_above: int = PAYS_ABOVE,
    must_pay: float = MUST_PAY,
    progress: Progress = silent,
) -> Choice:
    """Index `vectors`, float32 (n_items, d), as `config` says, and measure it on `queries`.

    `queries`: float32 (n, d), like those of the service; half of them tune, recall is measured on the others.
    `exclude`: CSR (n, n_items), what each must not get. With fewer than `pays_above` floats of vectors, `auto` keeps
    exact search unmeasured. Otherwise it publishes the cheapest candidate that meets the target in every situation
    and that is estimated `must_pay` times as quick as exact search.
    The estimate counts work and looks at no clock, so the same vectors always lead to the same choice.
    Raises ModelError if a family asked for by name misses the target, or `vectors` cannot be searched.
    """
    exact = build_index(vectors, progress=progress)
    sample = Sample(queries, exclude).asked()
    families = _families(config, exact, pays_above) if len(sample.vectors) > 1 else ()
    if not families:
        return Choice(exact, (_exact_candidate(exact, sample),))
    tuning, held = sample.halves()
    tried = [try_family(family, exact, tuning, held, config=config, progress=progress) for family in families]
    candidates = (_exact_candidate(exact, held), *(candidate for _, candidate in tried))
    for candidate in candidates:
        logger.info("candidate %s", vars(candidate))
    if config.kind == AUTO:
        return Choice(_cheapest(exact, tried, must_pay), candidates)
    return Choice(_asked_for(*tried[0], config), candidates)


def _families(config: IndexConfig, exact: FlatIndex, pays_above: int) -> Sequence[Family]:
    if config.kind == AUTO:
        return [family for family in FAMILIES.values() if family.automatic and exact.vectors.size >= pays_above]
    return () if config.kind == FlatIndex.kind else (FAMILIES[config.kind],)


def _exact_candidate(exact: FlatIndex, sample: Sample) -> Candidate:
    estimated = exact.estimated_microseconds(sample.vectors)
    return Candidate(exact.kind, {}, 0.0, 0, {}, microseconds_of(exact, sample), estimated, True)


def try_family(
    family: Family,
    exact: FlatIndex,
    tuning: Sample,
    held: Sample,
    *,
    config: IndexConfig,
    progress: Progress,
) -> tuple[ApproximateIndex, Candidate]:
    """Build `family` over `exact`, tune it on `tuning` and measure it on `held`."""
    started = time.perf_counter()
    built = build_approximate(family, exact, seed=config.seed, progress=progress)
    seconds = time.perf_counter() - started
    progress(f"tune {family.name}", 0, 1)
    index = cheapest_parameters(built, tuning, target=config.recall_target)
    recalls = measure(index, held)
    progress(f"tune {family.name}", 1, 1)
    return index, Candidate(
        family.name,
        {"probes": index.parameters.probes, "candidates_compared": index.parameters.candidates},
        seconds,
        len(index.structure.to_bytes()),
        recalls,
        microseconds_of(index, held),
        index.estimated_microseconds(tuning.vectors),
        min(recalls.values()) >= config.recall_target,
    )


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
