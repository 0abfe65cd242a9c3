"""Which family of index is published: the cheapest that finds what exact search finds."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recsys.config import IndexConfig
from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.progress import Progress, silent
from recsys.retrieval.cost_model import MUST_PAY, PAYS_ABOVE, estimated_microseconds, exact_microseconds
from recsys.retrieval.faiss_approximate import ApproximateIndex, bytes_of
from recsys.retrieval.faiss_families import Family, build_family
from recsys.retrieval.faiss_index import FaissIndex, build_index
from recsys.retrieval.measurement import Sample, measure, microseconds_of, worst
from recsys.retrieval.parameter_search import least_effort

logger = logging.getLogger(__name__)

AUTOMATIC: tuple[Family, ...] = ("ivf_sq8", "ivf_pq")
"""What `auto` tries beside exact search. Of the others, ivf_flat is never ahead of ivf_sq8, and HNSW has met no
target of 0.99 by inner product; see `docs/indexes.md`."""


@dataclass(frozen=True)
class Candidate:
    """One family that was built and measured.

    `parameters`: its effort. `bytes`: of its files, without the vectors, which every family keeps. `recall`:
    situation to recall, on queries it was not tuned on. `microseconds`: one query alone by the clock of this run;
    `estimated_microseconds`: the same from counted work, by which families are compared.
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

    index: FaissIndex | ApproximateIndex
    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> Candidate:
        """The candidate that `index` is."""
        return next(each for each in self.candidates if each.kind == self.index.kind)

    def summary(self) -> dict[str, Any]:
        """Plain values for the step's summary, the manifest and the report."""
        chosen = self.chosen
        return {
            "kind": chosen.kind,
            **chosen.parameters,
            **worst(chosen.recall),
            "candidates": [vars(each) | {"published": each is chosen} for each in self.candidates],
        }


def choose_index(
    vectors: Floats, queries: Floats, config: IndexConfig, *, exclude: Csr | None = None, progress: Progress = silent
) -> Choice:
    """Index `vectors`, float32 (n_items, d), as `config` says, and measure it on `queries`.

    `queries`: float32 (n, d), such as will be asked; half of them tune, the others are measured. `exclude`: CSR
    (n, n_items), what each must not get. `auto` publishes the cheapest candidate that meets the target in every
    situation and that is estimated MUST_PAY times as quick as exact search; small catalogues stay exact unmeasured.
    The estimate counts work and looks at no clock, so the same vectors always lead to the same choice.
    Raises ModelError where a family asked for by name misses the target, or `vectors` cannot be searched.
    """
    exact = build_index(vectors, config, progress=progress)
    sample = Sample(queries, exclude).asked()
    if len(sample.vectors) < 2 or not (families := _families(config, exact)):
        return Choice(exact, (_exact_candidate(exact, sample),))
    tuning, held = sample.halves()
    tried = [try_family(family, exact, tuning, held, config=config, progress=progress) for family in families]
    candidates = (_exact_candidate(exact, held), *(candidate for _, candidate in tried))
    for candidate in candidates:
        logger.info("candidate %s", vars(candidate))
    return Choice(_cheapest(exact, tried, config), candidates)


def _families(config: IndexConfig, exact: FaissIndex) -> Sequence[Family]:
    if config.kind == "auto":
        return AUTOMATIC if exact.vectors.size >= PAYS_ABOVE else ()
    return () if config.kind == "exact" else (config.kind,)


def _exact_candidate(exact: FaissIndex, sample: Sample) -> Candidate:
    estimated = exact_microseconds(exact.vectors.shape)
    return Candidate("exact", {}, 0.0, 0, {}, microseconds_of(exact, sample), estimated, True)


def try_family(
    family: Family, exact: FaissIndex, tuning: Sample, held: Sample, *, config: IndexConfig, progress: Progress
) -> tuple[ApproximateIndex, Candidate]:
    """Build `family` over `exact`, tune it on `tuning` and measure it on `held`."""
    started = time.perf_counter()
    built = build_family(family, exact, seed=config.seed, progress=progress)
    seconds = time.perf_counter() - started
    progress(f"tune {family}", 0, 1)
    index = least_effort(built, tuning, target=config.recall_target)
    recalls = measure(index, held)
    progress(f"tune {family}", 1, 1)
    return index, Candidate(
        family,
        {"probes": index.effort.probes, "candidates_compared": index.effort.candidates},
        seconds,
        bytes_of(index.structure),
        recalls,
        microseconds_of(index, held),
        estimated_microseconds(index, tuning.vectors),
        min(recalls.values()) >= config.recall_target,
    )


def _cheapest(
    exact: FaissIndex, tried: Sequence[tuple[ApproximateIndex, Candidate]], config: IndexConfig
) -> FaissIndex | ApproximateIndex:
    meeting = [pair for pair in tried if pair[1].meets_target]
    if config.kind != "auto":
        return _asked_for(tried[0], meets=bool(meeting), config=config)
    limit = exact_microseconds(exact.vectors.shape) / MUST_PAY
    paying = [pair for pair in meeting if pair[1].estimated_microseconds <= limit]
    return min(paying, key=lambda pair: pair[1].estimated_microseconds)[0] if paying else exact


def _asked_for(tried: tuple[ApproximateIndex, Candidate], *, meets: bool, config: IndexConfig) -> ApproximateIndex:
    index, candidate = tried
    if not meets:
        situation, recall = min(candidate.recall.items(), key=lambda item: item[1])
        raise ModelError(
            f"index.kind = {config.kind!r} reaches a recall of {recall:.4f} ({situation}); expected at least "
            f"index.recall_target = {config.recall_target}; 'auto' looks for a family that does"
        )
    return index
