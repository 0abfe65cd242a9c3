"""Candidate: one index that was built, tuned and measured; and why another was not."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from recsys.progress import Progress
from recsys.retrieval.approximate_index import ApproximateIndex, build_approximate
from recsys.retrieval.families.cells import Cells
from recsys.retrieval.families.family import Family
from recsys.retrieval.flat_index import FlatIndex
from recsys.retrieval.index_config import IndexConfig
from recsys.retrieval.measurement import Answered, Held, Sample, measure, microseconds_of
from recsys.retrieval.parameter_search import cheapest_parameters

# One query in so many measures an index that is not worth more.
_EVERY = 8


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


@dataclass(frozen=True)
class NotBuilt:
    """A family that `auto` did not build, and the reason."""

    kind: str
    reason: str


def exact_candidate(exact: FlatIndex, sample: Sample) -> Candidate:
    """Exact search, which is always a candidate."""
    estimated = exact.estimated_microseconds(sample.vectors)
    return Candidate(exact.kind, {}, 0.0, 0, {}, microseconds_of(exact, sample), estimated, True)


def try_family(
    family: Family,
    exact: FlatIndex,
    tuning: Answered,
    held: Held,
    *,
    config: IndexConfig,
    progress: Progress,
    cells: Cells | None = None,
    least_probes: int = 1,
    limit: float = inf,
) -> tuple[ApproximateIndex, Candidate]:
    """Build `family` over `exact`, tune it on `tuning` and measure it on `held`.

    `cells`: those of a trial, which found that fewer than `least_probes` are too few. Parameters that are estimated
    to cost more than `limit`, in microseconds, are not tried; if none are enough, a few queries tell what they reach.
    """
    started = time.perf_counter()
    built = build_approximate(family, exact, seed=config.seed, progress=progress, cells=cells)
    seconds = time.perf_counter() - started
    progress(f"tune {family.name}", 0, 1)
    tuned = cheapest_parameters(built, tuning, target=config.recall_target, least_probes=least_probes, limit=limit)
    index, worth = tuned.found, tuned.enough or limit == inf
    recalls = measure(index, held.answered if worth else held.every(_EVERY))
    progress(f"tune {family.name}", 1, 1)
    return index, Candidate(
        family.name,
        {"probes": index.parameters.probes, "candidates_compared": index.parameters.candidates},
        seconds,
        len(index.structure.to_bytes()),
        recalls,
        microseconds_of(index, held.sample),
        index.estimated_microseconds(tuning.sample.vectors),
        worth and min(recalls.values()) >= config.recall_target,
    )
