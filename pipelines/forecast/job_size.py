"""JobSize: the counts that a forecast is computed from, made from a survey of the log and a configuration."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.forecast.content import ContentSize
from recsys.config import EvaluateConfig, ItemsConfig
from recsys.data.ingest.configured import items_input
from recsys.data.ingest.survey import Sample, Survey
from recsys.data.log_span import LogSpan
from recsys.data.splits.holdout_length import suited_length
from recsys.errors import DataError
from recsys.pipeline_config import PipelineConfig

_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class SampledDegrees:
    """A sample of n users (or items) with all their rows: what cleaning and splitting would do is counted on it.

    `row_owner`: int64 (rows,), the user (or item) of each row, 0 to n - 1. `time`: int64 (rows,), UTC seconds.
    `pair_owner`: int64 (pairs,), the same for each distinct pair of user and item. `degree`, `n_rows`: int64 (n,),
    pairs and rows of each. `distinct_share`: the share of the rows that duplicate no other row.
    """

    row_owner: NDArray[np.int64]
    time: NDArray[np.int64]
    pair_owner: NDArray[np.int64]
    degree: NDArray[np.int64]
    n_rows: NDArray[np.int64]
    distinct_share: float

    @staticmethod
    def of(sample: Sample) -> "SampledDegrees":
        """Number the users (or items) of `sample`, and count their rows and pairs."""
        _, owner = np.unique(sample.owner, return_inverse=True)
        pair = sample.owner * _ODD ^ sample.other
        _, first = np.unique(pair, return_index=True)
        rows = np.unique((pair * _ODD) ^ sample.time.astype(np.uint64))
        n_rows, degree = np.bincount(owner), np.bincount(owner[first])
        return SampledDegrees(owner, sample.time, owner[first], degree, n_rows, len(rows) / max(len(owner), 1))

    def kept(self, max_rows: int | None, min_pairs: int) -> NDArray[np.bool_]:
        """bool (n,): which of them cleaning would keep, by its limits on rows and on pairs."""
        return (self.degree >= min_pairs) & (self.n_rows <= (max_rows or np.inf))

    @property
    def pairs_per_row(self) -> float:
        """Distinct pairs divided by rows."""
        return len(self.pair_owner) / len(self.row_owner)

    def squared_degree(self, kept: NDArray[np.bool_]) -> float:
        """Mean of degree ** 2 over all n; it counts as zero where `kept`, bool (n,), is False."""
        return float(np.where(kept, self.degree.astype(np.float64) ** 2, 0.0).mean())

    def share_of_pairs(self, kept: NDArray[np.bool_]) -> float:
        """Share of all pairs that belong to those `kept`, bool (n,)."""
        return float(self.degree[kept].sum() / self.degree.sum())

    def has_any(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """bool (n,): which of them have any of the `rows`, bool (rows,)."""
        return np.bincount(self.row_owner[rows], minlength=len(self.degree)) > 0


@dataclass(frozen=True, eq=False)
class SampledSurvey:
    """A survey of a log with the degrees of its samples."""

    survey: Survey
    by_user: SampledDegrees
    by_item: SampledDegrees

    @staticmethod
    def of(survey: Survey) -> "SampledSurvey":
        """Count the samples of `survey`, once for every configuration that is forecast on it."""
        return SampledSurvey(survey, SampledDegrees.of(survey.by_user), SampledDegrees.of(survey.by_item))


@dataclass(frozen=True)
class JobSize:
    """Counts of one job. `measured`: False if they are extrapolated from the first part of the log.

    `rows`: read. `accepted`: not refused. `events`: after deduplication. `users`, `items`, `pairs`: distinct in the
    log. `n_users`, `n_items`, `entries`: of the matrix after cleaning. `train_share`: share of the events that
    evaluation trains on. `train_users`: users with any of them. `eval_users`: users evaluated. `co_occurrences`:
    pairs of items of one user, summed over the users; `co_users`: pairs of users of one item, summed over the items.
    `user_id_bytes`, `item_id_bytes`: mean length of an id.
    `catalogue_items`: rows of the catalogue. `content`: what the `[[content]]` tables take, None without any.
    """

    measured: bool
    rows: int
    accepted: int
    events: int
    users: int
    items: int
    n_users: int
    n_items: int
    entries: int
    pairs: int
    train_share: float
    train_users: int
    eval_users: int
    co_occurrences: int
    user_id_bytes: float
    item_id_bytes: float
    co_users: int = 0
    catalogue_items: int = 0
    content: ContentSize | None = None

    @property
    def mapped_items(self) -> int:
        """Items of the item map, the union of the log's and the catalogue's: the lower bound."""
        return max(self.n_items, self.catalogue_items)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        tree = asdict(self)
        return tree if self.content else {name: value for name, value in tree.items() if name != "content"}


def job_size(surveyed: SampledSurvey, config: PipelineConfig, *, rows: int) -> JobSize:
    """The counts that `config` leads to on the log of `surveyed`; `rows`: of the whole log, surveyed or not."""
    survey, by_user, by_item = surveyed.survey, surveyed.by_user, surveyed.by_item
    users, items, growth = _whole(survey, rows)
    accepted = survey.accepted * growth
    pairs = accepted * by_user.pairs_per_row
    kept = by_user.kept(config.prepare.max_user_events, config.prepare.min_user_items)
    used = by_item.kept(None, config.prepare.min_item_users)
    n_users = users * float(kept.mean())
    train_share, trained, evaluated = _split_shares(by_user, survey, config.evaluate)
    return JobSize(
        measured=survey.whole,
        rows=rows,
        accepted=round(accepted),
        events=round(accepted * by_user.distinct_share if config.prepare.deduplicate else accepted),
        users=round(users),
        items=round(items),
        n_users=round(n_users),
        n_items=round(items * float(used.mean())),
        entries=round(pairs * by_user.share_of_pairs(kept) * by_item.share_of_pairs(used)),
        pairs=round(pairs),
        train_share=train_share,
        train_users=round(n_users * trained),
        eval_users=min(round(n_users * evaluated), config.evaluate.max_users or round(n_users)),
        co_occurrences=round(users * by_user.squared_degree(kept) * (growth * survey.users / users) ** 2),
        user_id_bytes=survey.user_id_bytes,
        item_id_bytes=survey.item_id_bytes,
        co_users=round(items * by_item.squared_degree(used) * (growth * survey.items / items) ** 2),
        catalogue_items=_catalogue_rows(config.items),
    )


def _catalogue_rows(items: ItemsConfig | None) -> int:
    """0 if it cannot be read, which the check of the catalogue says."""
    try:
        return 0 if items is None else items_input(items).estimate_rows()
    except DataError:
        return 0


def _whole(survey: Survey, rows: int) -> tuple[float, float, float]:
    """Users and items of the whole log, and its length divided by the length of the part that was surveyed.

    New ids become rarer: n(r) ~ r ** b (Heaps' law), with b from the second half of the part that was surveyed.
    """
    if survey.whole:
        return survey.users, survey.items, 1.0
    growth = max(1.0, rows / survey.rows)
    half_rows, *half = survey.half
    steps = np.log(survey.rows / half_rows) if half_rows < survey.rows else np.inf
    users, items = (
        now * growth ** (np.log(now / before) / steps)
        for now, before in zip((survey.users, survey.items), half, strict=True)
    )
    return float(users), float(items), growth


def _split_shares(users: SampledDegrees, survey: Survey, evaluate: EvaluateConfig) -> tuple[float, float, float]:
    """Share of the events in the train side, share of the users with any of them, share of the users evaluated."""
    if evaluate.split == "temporal" and survey.whole:
        span = LogSpan.of(users.time)
        before = users.time < span.last - (evaluate.holdout or suited_length(span.seconds))
        known = users.has_any(before)
        return float(before.mean()), float(known.mean()), float((known & users.has_any(~before)).mean())
    if evaluate.split == "last_n":
        answering = users.degree > evaluate.last_n
        held = evaluate.last_n * int(answering.sum()) / int(users.degree.sum())
        return 1 - held, 1.0, float(answering.mean())
    if evaluate.split == "held_out_users":
        return 1 - evaluate.user_share, 1 - evaluate.user_share, evaluate.user_share
    return 1.0, 1.0, 1.0  # unknown until the files or the times are read: the upper bound
