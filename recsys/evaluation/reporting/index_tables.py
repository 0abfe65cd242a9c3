"""The search index in the report: what is published, and what else was built and measured."""

from collections.abc import Iterator, Mapping
from typing import Any

from recsys.evaluation.number_format import count

Tree = Mapping[str, Any]

_HEADER = (
    "family",
    "effort",
    "worst recall",
    "estimated query",
    "query by the clock",
    "size beside the vectors",
    "built in",
    "",
)


def index_facts(index: Tree) -> dict[str, Any]:
    """What is said of the published index in one value each; nothing where there is no value."""
    return {key: value for key, value in index.items() if value is not None and not isinstance(value, Mapping | list)}


def candidate_tables(index: Tree) -> Iterator[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """A title, a header and rows of text: the candidates for recommendations, then those for similar items."""
    for title, chosen in (("Recommendations", index), ("Similar items", index.get("similar") or {})):
        if chosen.get("candidates"):
            yield title, _HEADER, [_row(candidate) for candidate in chosen["candidates"]]


def _row(candidate: Tree) -> tuple[str, ...]:
    recall = candidate["recall"]
    worst = min(recall, key=lambda situation: recall[situation]) if recall else None
    return (
        candidate["kind"],
        ", ".join(f"{count(value)} {name.replace('_', ' ')}" for name, value in candidate["parameters"].items()),
        f"{recall[worst]:.4f} ({worst})" if worst else "1",
        f"{count(round(candidate['estimated_microseconds']))} us",
        f"{count(round(candidate['microseconds']))} us",
        f"{candidate['bytes'] / 2**20:.1f} MiB",
        f"{candidate['build_seconds']:.1f} s",
        _verdict(candidate),
    )


def _verdict(candidate: Tree) -> str:
    if candidate["published"]:
        return "published"
    return "" if candidate["meets_target"] else "misses the target"
