"""The tables of both pages of the report as plain rows, and the settings as TOML."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from recsys.data.cleaning import CleaningSummary
from recsys.evaluation.comparison import Estimates
from recsys.evaluation.definitions import DEFINITIONS, split_name
from recsys.evaluation.number_format import count, figure
from recsys.evaluation.provenance import IndexCandidate, IndexSummary, Provenance, Tradeoff, other_users
from recsys.evaluation.reporting.reasons import IGNORED
from recsys.evaluation.reporting.report import Report

_DESCRIBING = ("coverage", "novelty", "diversity", "popularity_bias")


def is_judged(metric: str) -> bool:
    """Whether higher is better in `metric` ("recall@20"), so that the best model can be marked."""
    return DEFINITIONS[split_name(metric)[0]].better == "higher"


def is_compared(metric: str) -> bool:
    """Whether differences in `metric` are shown: if higher is better, and for coverage."""
    return is_judged(metric) or metric.startswith("coverage@")


def best_of(models: Estimates, metric: str) -> float | None:
    """The highest mean of `metric`; None if higher is not better or there is only one model."""
    means = [mean for table in models.values() if (mean := table[metric].mean) is not None]
    return max(means) if is_judged(metric) and len(models) > 1 and means else None


def attempts(report: Report) -> list[tuple[str, int, float]]:
    """The fits that the settings were chosen from: settings in words, training users, score; best first."""
    choice = report.provenance.choice
    tried = () if choice is None else choice.attempts
    ordered = sorted(tried, key=lambda attempt: attempt.score, reverse=True)
    return [(attempt.in_words(), attempt.n_users, attempt.score) for attempt in ordered]


def tradeoff_columns(tradeoff: Tradeoff) -> list[str]:
    """The columns of `tradeoff_rows`."""
    k = split_name(tradeoff.metric)[1]
    return ["popularity_exponent", tradeoff.metric, f"coverage@{k}", f"popularity_bias@{k}"]


def tradeoff_rows(tradeoff: Tradeoff) -> list[tuple[str, ...]]:
    """One row per popularity exponent, with a word beside that of the night."""
    return [
        (
            f"{each.popularity_exponent:g}{' (tonight)' if at == tradeoff.at else ''}",
            *(figure(value) for value in (each.score, each.coverage, each.popularity_bias)),
        )
        for at, each in enumerate(tradeoff.points)
    ]


def by_cutoff(report: Report) -> dict[int, list[str]]:
    """Cut-off to its metrics, both in order."""
    metrics = report.models[report.model]
    cutoffs = sorted({split_name(metric)[1] for metric in metrics})
    return {k: [metric for metric in metrics if split_name(metric)[1] == k] for k in cutoffs}


def by_cutoff_from_primary(report: Report) -> dict[int, list[str]]:
    """As `by_cutoff`, with the primary metric and its cut-off first."""
    k = split_name(report.metric)[1]
    first = {
        cutoff: sorted(metrics, key=lambda name: name != report.metric)
        for cutoff, metrics in by_cutoff(report).items()
    }
    return dict(sorted(first.items(), key=lambda item: item[0] != k))


def headline(report: Report) -> list[str]:
    """The primary metric, then what describes the lists at its cut-off."""
    k = split_name(report.metric)[1]
    names = (report.metric, *(f"{name}@{k}" for name in _DESCRIBING))
    return [name for name in names if name in report.models[report.model]]


@dataclass(frozen=True)
class Account:
    """One stage of the data: the number that came in, the numbers left out by reason, and the number kept.

    `unit`: of the numbers, "rows" or "events". `note`: a sentence about what was kept.
    """

    title: str
    unit: str
    came_in: int
    left_out: Mapping[str, int]
    note: str = ""

    @property
    def kept(self) -> int:
        """The number kept."""
        return self.came_in - sum(self.left_out.values())


MERGED = "merged"
"""Reason of rows that were merged into an equal one."""


def accounts(provenance: Provenance) -> Iterator[Account]:
    """Rows of the log, rows of the held-out files, and events in cleaning; without reasons that count zero."""
    for title, rows in (
        ("Rows of the log", provenance.ingest),
        ("Rows of the held-out files", provenance.holdout_ingest),
    ):
        if rows is not None:
            ignored = {f"{IGNORED}{name}": n for name, n in rows.ignored.items()}
            yield Account(title, "rows", rows.rows_read, _nonzero({**rows.refused, MERGED: rows.merged, **ignored}))
    if (cleaning := provenance.cleaning) is not None:
        note = (
            f"The matrix has {count(cleaning.entries)} distinct user-item pairs of {count(cleaning.n_users)} users"
            f" and {count(cleaning.n_items)} items.{_of_others(cleaning)}"
        )
        yield Account("Cleaning of the whole log", "events", cleaning.events_in, _nonzero(cleaning.removed), note)


def _of_others(cleaning: CleaningSummary) -> str:
    """What the users who were not trained on are served."""
    if not (others := other_users(cleaning)):
        return ""
    lists = "Lists of those folded in come from their history, the others get popular items."
    return f" {others.capitalize()}. {lists}"


def _nonzero(reasons: Mapping[str, int]) -> dict[str, int]:
    return {reason: n for reason, n in reasons.items() if n}


def not_evaluated(provenance: Provenance) -> list[tuple[str, int, int]]:
    """Reason, pairs and users of the holdout that could not be evaluated."""
    pairs, users = provenance.split.dropped, provenance.split.dropped_users
    rows = ((reason, pairs.get(reason, 0), users.get(reason, 0)) for reason in {**pairs, **users})
    return [row for row in rows if row[1] or row[2]]


CANDIDATE_COLUMNS = (
    "family",
    "parameters",
    "worst recall",
    "estimated query",
    "query by the clock",
    "size beside the vectors",
    "built in",
    "",
)


def candidate_tables(index: IndexSummary) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """A title and rows of text, columns as CANDIDATE_COLUMNS: the candidates for recommendations, then for items."""
    for title, chosen in (("Recommendations", index), ("Similar items", index.similar)):
        if chosen and chosen.candidates:
            not_built = [_not_built_row(each.kind, each.reason) for each in chosen.not_built]
            yield title, [*(_candidate_row(candidate) for candidate in chosen.candidates), *not_built]


def _not_built_row(kind: str, reason: str) -> tuple[str, ...]:
    return (kind, *[""] * (len(CANDIDATE_COLUMNS) - 2), f"not built: {reason}")


def _candidate_row(candidate: IndexCandidate) -> tuple[str, ...]:
    recall = candidate.recall
    worst = min(recall, key=lambda situation: recall[situation]) if recall else None
    return (
        candidate.kind,
        ", ".join(f"{count(value)} {name.replace('_', ' ')}" for name, value in candidate.parameters.items()),
        f"{recall[worst]:.4f} ({worst})" if worst else "1",
        f"{count(round(candidate.estimated_microseconds))} us",
        f"{count(round(candidate.microseconds))} us",
        f"{candidate.bytes / 2**20:.1f} MiB",
        f"{candidate.build_seconds:.1f} s",
        _outcome(candidate),
    )


def _outcome(candidate: IndexCandidate) -> str:
    if candidate.published:
        return "published"
    return "" if candidate.meets_target else "misses the target"


def toml_text(settings: Mapping[str, JsonValue]) -> str:
    """Settings as TOML for display: plain values, then sections and lists of sections; unset keys are left out."""
    plain, sections = list[str](), list[str]()
    for name, value in settings.items():
        if isinstance(value, Mapping):
            sections += _toml_section(f"[{name}]", value)
        elif isinstance(value, list) and (tables := [each for each in value if isinstance(each, Mapping)]):
            for each in tables:
                sections += _toml_section(f"[[{name}]]", each)
        elif value is not None:
            plain.append(f"{name} = {_toml_value(value)}")
    return "\n".join([*plain, *sections])


def _toml_section(header: str, section: Mapping[str, JsonValue]) -> list[str]:
    return [header, *(f"{key} = {_toml_value(value)}" for key, value in section.items() if value is not None)]


def _toml_value(value: JsonValue) -> str:
    if isinstance(value, Mapping):
        return (
            "{ "
            + ", ".join(f"{json.dumps(key)} = {_toml_value(part)}" for key, part in value.items() if part is not None)
            + " }"
        )
    return json.dumps(value, ensure_ascii=False)


def side_by_side(lists: Mapping[str, Sequence[object]]) -> Iterator[list[object]]:
    """One row per place: the place, and the item there in every list, None if the list is shorter."""
    for place in range(max((len(items) for items in lists.values()), default=0)):
        yield [place + 1, *(items[place] if place < len(items) else None for items in lists.values())]
