"""JobSize: the counts that every term of a forecast is made of, from a survey and a configuration."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipelines.forecast.sampled_degrees import SampledDegrees, Surveyed
from recsys.config import EvaluateConfig, ItemsConfig
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.survey import Survey
from recsys.pipeline_config import PipelineConfig


@dataclass(frozen=True)
class JobSize:
    """Counts of one job. `measured`: False where they are extrapolated from the first part of the log.

    `rows`: read. `accepted`: not refused. `events`: after merging of double ones. `users`, `items`, `pairs`: distinct
    ones of the log. `n_users`, `n_items`, `entries`: of the matrix that cleaning leaves. `train_share`: the part of
    the events that evaluation trains on. `train_users`: users in it. `eval_users`: who is evaluated.
    `co_occurrences`: pairs of items of a user, summed over the users. `catalogue_items`: rows of the catalogue.
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
    catalogue_items: int = 0

    @property
    def mapped_items(self) -> int:
        """Items of the item map, which is the union of the log's and the catalogue's; at least."""
        return max(self.n_items, self.catalogue_items)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def job_size(surveyed: Surveyed, config: PipelineConfig, *, rows: int) -> JobSize:
    """What `config` makes of a log of which `surveyed` was seen; `rows`: of all of it, seen or not."""
    survey, by_user, by_item = surveyed.survey, surveyed.by_user, surveyed.by_item
    users, items, grown = _whole(survey, rows)
    accepted = survey.accepted * grown
    pairs = accepted * by_user.pairs_per_row
    kept = by_user.kept(config.prepare.max_user_events, config.prepare.min_user_items)
    used = by_item.kept(None, config.prepare.min_item_users)
    n_users = users * float(kept.mean())
    train_share, trained, evaluated = _cut(by_user, survey, config.evaluate)
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
        co_occurrences=round(users * by_user.squared_degree(kept) * (grown * survey.users / users) ** 2),
        user_id_bytes=survey.user_id_bytes,
        item_id_bytes=survey.item_id_bytes,
        catalogue_items=_catalogue_rows(config.items),
    )


def _catalogue_rows(items: ItemsConfig | None) -> int:
    return 0 if items is None or not items.path.exists() else FileSource((items.path,)).estimate_rows()


def _whole(survey: Survey, rows: int) -> tuple[float, float, float]:
    """Users and items of the whole log, and how many times as long it is as what was looked at.

    New ids come ever more slowly: n(r) ~ r ** b (Heaps' law), b from the second half of what was looked at.
    """
    if survey.whole:
        return survey.users, survey.items, 1.0
    grown = max(1.0, rows / survey.rows)
    half_rows, *half = survey.half
    steps = np.log(survey.rows / half_rows) if half_rows < survey.rows else np.inf
    users, items = (
        now * grown ** (np.log(now / before) / steps)
        for now, before in zip((survey.users, survey.items), half, strict=True)
    )
    return float(users), float(items), grown


def _cut(users: SampledDegrees, survey: Survey, evaluate: EvaluateConfig) -> tuple[float, float, float]:
    """Share of the events that is trained on, share of the users that has any of them, share that is evaluated."""
    if evaluate.split == "temporal" and survey.whole:
        before = users.time < users.time.max() - evaluate.holdout
        known = users.seen(before)
        return float(before.mean()), float(known.mean()), float((known & users.seen(~before)).mean())
    if evaluate.split == "last_n":
        answering = users.degree > evaluate.last_n
        held = evaluate.last_n * int(answering.sum()) / int(users.degree.sum())
        return 1 - held, 1.0, float(answering.mean())
    if evaluate.split == "held_out_users":
        return 1 - evaluate.user_share, 1 - evaluate.user_share, evaluate.user_share
    return 1.0, 1.0, 1.0  # the files of the test part, or times that were not seen, do not tell before: the most
