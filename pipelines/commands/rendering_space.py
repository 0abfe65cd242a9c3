"""What the command line prints of a space: clusters, directions, dimensions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from pipelines.commands.rendering import line, out, table

if TYPE_CHECKING:
    from recsys.space.clusters import Cluster
    from recsys.space.dimensions import Dimensions
    from recsys.space.directions import End
    from recsys.space.items_read import ShownItem
    from recsys.space.reading import SpaceReading

_SHOWN = 4


def clusters(found: "SpaceReading") -> None:
    """The clusters, each with what names it and the items at its centre."""
    of_whom = "" if found.n_read == found.n_items else f", the {found.n_read:,} items with the most users"
    out.print(f"[bold]Clusters of {found.n_items:,} items with a vector{of_whom}[/]")
    line("in brackets: share of its items with the term, and how many times the share of all items that is (lift)\n")
    for number, cluster in enumerate(found.clusters, start=1):
        _cluster(number, cluster)


def _cluster(number: int, cluster: "Cluster") -> None:
    facts = (
        f"{cluster.n_items:,} items, {cluster.share_of_events:.1%} of the events, closeness {cluster.closeness:.2f}"
    )
    out.print(f"[bold]{number:>2}  {escape(cluster.name)}[/]  [dim]{facts}[/]")
    if cluster.terms:
        line(f"    {', '.join(each.text for each in cluster.terms)}")
    out.print(f"    [dim]{escape(_titles(cluster.examples))}[/]")


def _titles(items: "Sequence[ShownItem]") -> str:
    return " | ".join(item.short for item in items[:_SHOWN])


def directions(found: "SpaceReading") -> None:
    """The directions, each with its two ends."""
    for direction in found.directions:
        out.print(f"\n[bold]{escape(direction.name)}[/]  [dim]{direction.share:.1%} of the variance[/]")
        for sign, end in (("-", direction.low), ("+", direction.high)):
            _end(sign, end)


def _end(sign: str, end: "End") -> None:
    line(f" {sign}  {_titles(end.items)}")
    if end.terms:
        out.print(f"    [dim]more often here (correlation): {escape(', '.join(each.text for each in end.terms))}[/]")


def dimensions(found: "Dimensions") -> None:
    """What fewer dimensions and fewer bytes keep."""
    recall = f"recall@{found.k}"
    kept = table(f"The best d of {found.factors} dimensions, for {found.n_queries:,} users", "d", "energy", recall)
    for each in found.kept:
        kept.add_row(str(each.d), f"{each.energy:.1%}", f"{each.recall:.4f}")
    out.print(kept)
    out.print()
    stored = table("All dimensions in fewer bytes", "type", "bytes per user or item", recall)
    for way in found.stored:
        stored.add_row(way.type, f"{way.bytes_per_vector:,}", f"{way.recall:.4f}")
    out.print(stored)
    line(f"{recall}: share of the exact lists' items that are kept; energy: of the squared scores of all pairs")
