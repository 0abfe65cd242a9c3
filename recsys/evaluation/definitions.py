"""What each metric means, in words that travel with the numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from recsys.evaluation.metrics import ACCURACY


@dataclass(frozen=True)
class Definition:
    """`meaning`: one sentence for a reader. `formula`: of one user. `denominator`: what the formula divides by.

    `over`: what the reported figure is taken over. `better`: "higher", or "neither" where the figure describes
    the lists and more is not always better.
    """

    meaning: str
    formula: str
    denominator: str
    over: str = "mean over the evaluated users"
    better: str = "higher"


DEFINITIONS: dict[str, Definition] = {
    "recall": Definition(
        meaning="share of what the list could have found that it did find",
        formula="hits in the first k / min(k, relevant)",
        denominator="min(k, the user's relevant items)",
    ),
    "recall_hits": Definition(
        meaning="share of the user's relevant items that the list found",
        formula="hits in the first k / relevant",
        denominator="the user's relevant items, also where there are more than k",
    ),
    "ndcg": Definition(
        meaning="hits, counted less the further down they stand, against the ideal order",
        formula="sum of 1/log2(place + 1) over the hits in the first k"
        " / the same sum over places 1 to min(k, relevant)",
        denominator="the gain of an ideal list of min(k, relevant) hits; relevance is binary",
    ),
    "precision": Definition(
        meaning="share of the k places that hold a hit",
        formula="hits in the first k / k",
        denominator="k, also where the list or the relevant items are fewer",
    ),
    "map": Definition(
        meaning="precision at every hit, averaged (mean average precision)",
        formula="sum over the hits at places i <= k of (hits in the first i / i) / min(k, relevant)",
        denominator="min(k, the user's relevant items)",
    ),
    "mrr": Definition(
        meaning="how early the first hit comes (mean reciprocal rank)",
        formula="1 / place of the first hit in the first k; 0 without one",
        denominator="the place of the first hit",
    ),
    "hit_rate": Definition(
        meaning="share of users whose list holds at least one hit",
        formula="1 where the first k hold a hit, else 0",
        denominator="none",
    ),
    "coverage": Definition(
        meaning="share of the catalogue that is recommended to anyone at all",
        formula="distinct items in all users' first k / items of the training part",
        denominator="items of the training part",
        over="one figure for all evaluated users together; it has no interval",
        better="neither",
    ),
    "novelty": Definition(
        meaning="how little known the recommended items are, in bits: one bit more is half the audience",
        formula="mean over the list's first k of -log2(training users of the item / training users)",
        denominator="the items in the first k places, fewer than k where the list is short",
        over="mean over the evaluated users with a list of at least one item",
        better="neither",
    ),
    "diversity": Definition(
        meaning="how unlike each other the items of one list are, by the same item vectors for every model",
        formula="1 - mean cosine over the pairs of items in the first k",
        denominator="m(m-1)/2 pairs of the m items in the first k places",
        over="mean over the evaluated users with a list of at least two items",
        better="neither",
    ),
    "popularity_bias": Definition(
        meaning="how many times as popular as the users' own histories the recommended items are; 1 is no bias",
        formula="mean popularity of the list's first k / mean over all evaluated users of the mean popularity of"
        " their history (popularity = training users of the item)",
        denominator="the evaluated users' history popularity, one number for all users and models; the mean is"
        " 1 + delta GAP of Abdollahpouri et al. 2019",
        over="mean over the evaluated users with a list of at least one item",
        better="neither",
    ),
}
"""By the metric's name without its cut-off, in the order reports show them."""


def metric_names(cutoffs: Sequence[int], names: Sequence[str] = tuple(DEFINITIONS)) -> list[str]:
    """Every `name@k`. diversity@1 does not exist: one item makes no pair."""
    return [f"{name}@{k}" for name in names for k in cutoffs if (name, k) != ("diversity", 1)]


def accuracy_names(cutoffs: Sequence[int]) -> list[str]:
    """The `name@k` in which higher is better: those a gate may look at."""
    return metric_names(cutoffs, tuple(ACCURACY))


def definitions_tree() -> dict[str, dict[str, str]]:
    """DEFINITIONS as plain values, keyed "recall@k"."""
    return {f"{name}@k": asdict(definition) for name, definition in DEFINITIONS.items()}


def split_name(metric: str) -> tuple[str, int]:
    """ "ndcg@20" as "ndcg" and 20."""
    name, k = metric.split("@")
    return name, int(k)


def sorted_metrics(metrics: Iterable[str]) -> list[str]:
    """`metrics` ("name@k") in the order of DEFINITIONS, then by cut-off."""
    order = {name: at for at, name in enumerate(DEFINITIONS)}

    def key(metric: str) -> tuple[int, int]:
        name, k = split_name(metric)
        return order[name], k

    return sorted(metrics, key=key)
