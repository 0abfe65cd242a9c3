"""Definitions of the metrics, which the report prints."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from recsys.evaluation.metrics import ACCURACY


@dataclass(frozen=True)
class Definition:
    """`meaning`: a short description. `formula`: for one user. `denominator`: what the formula divides by.

    `over`: the users that the reported value is over. `better`: "higher", or "neither" if it describes the lists.
    """

    meaning: str
    formula: str
    denominator: str
    over: str = "mean over the evaluated users"
    better: str = "higher"


DEFINITIONS: dict[str, Definition] = {
    "recall": Definition(
        meaning="share of the relevant items that a perfect list of k places would hold",
        formula="hits in the first k / min(k, relevant)",
        denominator="min(k, the user's relevant items)",
    ),
    "recall_hits": Definition(
        meaning="share of the user's relevant items that the list holds",
        formula="hits in the first k / relevant",
        denominator="the user's relevant items, even if there are more than k",
    ),
    "ndcg": Definition(
        meaning="hits, weighted less the lower their rank, relative to an ideal list",
        formula="sum of 1/log2(rank + 1) over the hits in the first k"
        " / the same sum over ranks 1 to min(k, relevant)",
        denominator="the gain of an ideal list of min(k, relevant) hits; relevance is binary",
    ),
    "precision": Definition(
        meaning="share of the k places that hold a hit",
        formula="hits in the first k / k",
        denominator="k, also if the list is shorter or fewer items are relevant",
    ),
    "map": Definition(
        meaning="precision at every hit, averaged (mean average precision)",
        formula="sum over the hits at ranks i <= k of (hits in the first i / i) / min(k, relevant)",
        denominator="min(k, the user's relevant items)",
    ),
    "mrr": Definition(
        meaning="how early the first hit comes (mean reciprocal rank)",
        formula="1 / rank of the first hit in the first k; 0 without one",
        denominator="the rank of the first hit",
    ),
    "hit_rate": Definition(
        meaning="share of users whose list holds at least one hit",
        formula="1 with a hit in the first k, else 0",
        denominator="none",
    ),
    "coverage": Definition(
        meaning="share of the catalogue that is in any list",
        formula="distinct items in the first k of all lists / items that can be listed",
        denominator="items with at least one training user, because others are never listed",
        over="all evaluated users together; no interval",
        better="neither",
    ),
    "novelty": Definition(
        meaning="how little known the listed items are, in bits; one bit more means half as many training users",
        formula="mean over the list's first k of -log2(training users of the item / training users)",
        denominator="the items in the first k places, fewer than k if the list is short",
        over="mean over the evaluated users with a list of at least one item",
        better="neither",
    ),
    "diversity": Definition(
        meaning="how different the items of one list are, by the same item vectors for every model",
        formula="1 - mean cosine over the pairs of items in the first k",
        denominator="m(m-1)/2 pairs of the m items in the first k places",
        over="mean over the evaluated users with a list of at least two items",
        better="neither",
    ),
    "popularity_bias": Definition(
        meaning="popularity of the listed items relative to that of the users' histories; 1 means no bias",
        formula="mean popularity of the list's first k / mean over all evaluated users of the mean popularity of"
        " their history (popularity = training users of the item)",
        denominator="the evaluated users' history popularity, one number for all users and models; the mean is"
        " 1 + delta GAP of Abdollahpouri et al. 2019",
        over="mean over the evaluated users with a list of at least one item",
        better="neither",
    ),
}
"""By the name without the cut-off, in the order of the report."""


def metric_names(cutoffs: Sequence[int], names: Sequence[str] = tuple(DEFINITIONS)) -> list[str]:
    """Every `name@k`; not diversity@1, because one item has no pairs."""
    return [f"{name}@{k}" for name in names for k in cutoffs if (name, k) != ("diversity", 1)]


def accuracy_names(cutoffs: Sequence[int]) -> list[str]:
    """The `name@k` of metrics in which higher is better, those that gates may use."""
    return metric_names(cutoffs, tuple(ACCURACY))


def definitions_tree() -> dict[str, dict[str, str]]:
    """DEFINITIONS as plain values, keyed "recall@k"."""
    return {f"{name}@k": asdict(definition) for name, definition in DEFINITIONS.items()}


def split_name(metric: str) -> tuple[str, int]:
    """ "ndcg@20" as "ndcg" and 20."""
    name, k = metric.split("@")
    return name, int(k)


def coverage_of(metric: str) -> str:
    """The coverage at the cut-off of `metric`: "coverage@20" for "ndcg@20"."""
    return f"coverage@{split_name(metric)[1]}"


def sorted_metrics(metrics: Iterable[str]) -> list[str]:
    """`metrics` ("name@k") in the order of DEFINITIONS, then by cut-off."""
    order = {name: at for at, name in enumerate(DEFINITIONS)}

    def key(metric: str) -> tuple[int, int]:
        name, k = split_name(metric)
        return order[name], k

    return sorted(metrics, key=key)
