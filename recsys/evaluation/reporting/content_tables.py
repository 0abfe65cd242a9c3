"""The table of content sources in both pages of the report."""

from collections.abc import Iterator, Sequence

from recsys.evaluation.content_sources import ContentSourceSummary
from recsys.evaluation.number_format import count

COLUMNS = ("source", "encoder", "reads", "items known", "of", "dimensions", "as before")

NOTE = (
    "Vectors of what is known of the items beside their users. As before: items whose vector was made on an earlier"
    " night. To a source that does not know an item, it is like nothing."
)


def rows(sources: Sequence[ContentSourceSummary]) -> Iterator[tuple[str, ...]]:
    """One row per source, by COLUMNS."""
    for each in sources:
        if each.from_histories:
            yield each.name, each.encoder, "histories", "", "", "", ""
            continue
        counts = (each.n_known, each.n_items, each.dimension, each.n_reused)
        yield each.name, each.encoder, ", ".join(each.columns), *map(count, counts)


def problems(sources: Sequence[ContentSourceSummary]) -> list[tuple[str, str, str, str]]:
    """Source, reason, items and the first of them, one row per source and reason."""
    return [
        (each.name, reason, count(n), each.first.get(reason, ""))
        for each in sources
        for reason, n in each.problems.items()
    ]
