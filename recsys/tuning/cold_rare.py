"""The choice for rare items: hidden items get back one to five users, and content helps as much as is best."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from recsys.content.cold_start.config import ColdStartConfig
from recsys.content.cold_start.settings import ColdStartSettings
from recsys.data.arrays import Bools, Floats, Indices
from recsys.data.matrix import Csr, csr_from_pairs
from recsys.evaluation.cold_start import RareItemsChoice
from recsys.evaluation.evaluator import score_lists
from recsys.evaluation.metrics import Values
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.item_solve import solve_items
from recsys.models.factors.model import FactorModel, FactorRecommender
from recsys.models.recommender import Queries
from recsys.retrieval.exact import ExactSearch
from recsys.tuning.cold_simulation import ColdSimulation

STRENGTHS, CONTENT_USERS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0), (0.0, 2.0, 10.0)
_MOST_USERS = 5
_GATE_USERS = 2_000
_CLEAR = 2.0  # standard errors of a loss among all items
_ATTEMPTS = 3


@dataclass(frozen=True, eq=False)
class RareSimulation:
    """The hidden items of a simulation with a few of their users.

    `entries`: float32 CSR (n_hidden, n_users), confidences as if the items had no other users. `users`: float32
    (n_users, d), those of the fit; the users of `entries` are folded in without the hidden items. `n_users`: int32
    (n_hidden,), of each item.
    """

    simulation: ColdSimulation
    model: AlsModel
    entries: Csr
    users: Floats
    n_users: Indices

    def lists(self, settings: ColdStartSettings, metric: str) -> Values:
        """Float64 (n,): the metric of the simulation's users, ranked among the hidden items.

        Without a prior strength, items are the exact solution that is pulled to zero.
        """
        simulation = self.simulation
        means = simulation.means(settings)
        mean = simulation.vectors(settings, means)
        strength = settings.prior_strength or 1.0
        pulled = mean if settings.prior_strength else np.zeros_like(mean)
        vectors = solve_items(self.entries, self.users, pulled, self.model.objective, strength=strength)
        scores: Floats = simulation.users @ (vectors * simulation.scale).T
        if (local := simulation.local_scores(settings, means)) is not None and settings.content_users:
            scores += local * (settings.content_users / (settings.content_users + self.n_users)).astype(np.float32)
        return simulation.measured(scores, (metric,))[0]


@dataclass(frozen=True, eq=False)
class RareChoice:
    """The settings, and what is told of them."""

    settings: ColdStartSettings
    summary: RareItemsChoice


def choose_for_rare(
    simulation: ColdSimulation,
    csr: Csr,
    settings: ColdStartSettings,
    config: ColdStartConfig,
    *,
    metric: str,
    complete_with: Callable[[ColdStartSettings], FactorModel],
) -> RareChoice | None:
    """`settings` with the prior strength and the columns that are best for rare items; None if there are none.

    What is set in `config` is kept. `complete_with`: the model on all of `csr` under some settings. If lists among
    all items lose more warm items by it than chance explains, less content is tried, and then rare items are left
    alone, unless the strength is set.
    """
    rare = simulate_rare(simulation, csr, rare_events=config.rare_events, seed=config.seed)
    if rare is None or config.prior_strength == 0:
        return None
    plain = settings.without_rare_items()
    scores = {each: float(rare.lists(each, metric).mean()) for each in _tried(plain, config, rare)}
    none = float(rare.lists(plain, metric).mean())
    best = max(scores, key=lambda each: scores[each])
    told = RareItemsChoice(plain=none, chosen=scores[best])
    if best == plain:
        return RareChoice(plain, told)
    warm = simulation.model.item_degree > config.rare_events
    before = held_out_pairs(complete_with(plain), csr, metric, among=warm, seed=config.seed)
    for settings_with in _less_and_less(best, scores, none):
        after = held_out_pairs(complete_with(settings_with), csr, metric, among=warm, seed=config.seed)
        loss = before - after
        lost = float(loss.mean()) > _CLEAR * float(loss.std()) / max(1, len(loss)) ** 0.5
        means = {"all_plain": float(before.mean()), "all_chosen": float(after.mean()), "n_users": len(before)}
        told = told.model_copy(update={**means, "chosen": scores[settings_with], "refused": lost})
        if not lost or config.prior_strength is not None:
            return RareChoice(settings_with, told.model_copy(update={"refused": False}))
    return RareChoice(plain, told)


def _less_and_less(
    best: ColdStartSettings, scores: Mapping[ColdStartSettings, float], none: float
) -> list[ColdStartSettings]:
    """`best`, then the best with less of the content's columns each, while they are better than `none`."""
    chosen = [best]
    while len(chosen) < _ATTEMPTS:
        less = [each for each in scores if each.content_users < chosen[-1].content_users and scores[each] > none]
        if not less:
            break
        chosen.append(max(less, key=lambda each: scores[each]))
    return chosen


def _tried(plain: ColdStartSettings, config: ColdStartConfig, rare: "RareSimulation") -> Iterator[ColdStartSettings]:
    strengths = (0.0, *STRENGTHS) if config.prior_strength is None else (config.prior_strength,)
    content_users = CONTENT_USERS if rare.simulation.added is not None else (0.0,)
    return (
        replace(plain, prior_strength=strength, content_users=users)
        for strength in strengths
        for users in content_users
    )


def held_out_pairs(model: FactorModel, csr: Csr, metric: str, *, among: Bools, seed: int) -> Values:
    """Float64 (n,): the metric of up to 2,000 users, of each of whom one item of `csr` is to be found among all.

    `among`: bool (n_items,), the items that can be held out; a user whose drawn item is another one is left out.
    Users are folded in without it, though the vectors of items learned from it: models are compared by this, because
    all know the same.
    """
    rng = np.random.default_rng(seed)
    able = np.flatnonzero(np.diff(csr.indptr) > 1)
    rows = csr[np.sort(rng.choice(able, min(len(able), _GATE_USERS), replace=False))]
    held = rows.indptr[:-1] + rng.integers(0, np.diff(rows.indptr))
    able = among[rows.indices[held]]
    held = held[able]
    row = np.repeat(np.arange(rows.shape[0], dtype=np.int32), np.diff(rows.indptr))
    kept = np.ones(rows.nnz, np.bool_)
    kept[held] = False
    history, relevant = (
        csr_from_pairs(row[some], rows.indices[some], rows.data[some], rows.shape) for some in (kept, ~kept)
    )
    recommender = FactorRecommender("completed", model, ExactSearch(model.embeddings.scoring_items))
    answer = recommender.recommend(Queries(history[able], None), int(metric.rsplit("@", 1)[1]))
    return score_lists(answer, relevant[able], metric)


def simulate_rare(simulation: ColdSimulation, csr: Csr, *, rare_events: int, seed: int) -> RareSimulation | None:
    """Give each hidden item back 1 to 5 users who are not the simulation's; `csr` is what the model was fitted on.

    None if the model knows no prior, nothing is rare, or nobody is left.
    """
    model = simulation.model
    if not isinstance(model, AlsModel) or rare_events < 1:
        return None
    users, at = _given_back(simulation, csr, min(_MOST_USERS, rare_events), np.random.default_rng(seed))
    if not len(users):
        return None
    rows = np.unique(users).astype(np.int32)
    kept = _rows_with(csr[rows], simulation.hidden, np.searchsorted(rows, users).astype(np.int32), at)
    n_users = np.bincount(at, minlength=len(simulation.hidden)).astype(np.int32)
    degree = model.item_degree.copy()
    degree[simulation.hidden] = n_users
    confidence = replace(model.weighting, item_degree=degree).apply(kept)[:, simulation.hidden].tocoo()
    shape = (len(simulation.hidden), csr.shape[0])
    entries = csr_from_pairs(confidence.col, rows[confidence.row], confidence.data, shape)
    vectors = np.array(model.embeddings.users)
    vectors[rows] = model.fold_in(_rows_with(csr[rows], simulation.hidden, _NONE, _NONE))
    return RareSimulation(simulation, model, entries, vectors, n_users)


_NONE = np.empty(0, np.int32)


def _given_back(simulation: ColdSimulation, csr: Csr, most: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Pairs of a user, int32 (m,), and the place of a hidden item, int32 (m,)."""
    columns = csr[:, simulation.hidden].tocsc()
    apart = np.ones(csr.shape[0], np.bool_)
    apart[simulation.user_idx] = False
    users, places = [], []
    for place in range(len(simulation.hidden)):
        of_item = columns.indices[columns.indptr[place] : columns.indptr[place + 1]]
        of_item = of_item[apart[of_item]]
        drawn = rng.choice(of_item, min(len(of_item), 1 + place % most), replace=False)
        users.append(drawn)
        places.append(np.full(len(drawn), place))
    return np.concatenate(users).astype(np.int32), np.concatenate(places).astype(np.int32)


def _rows_with(csr: Csr, hidden: Indices, rows: Indices, places: Indices) -> Csr:
    """`csr` without entries of `hidden` items, but for the pairs of `rows` and `places` among the hidden."""
    is_hidden = np.zeros(csr.shape[1], np.bool_)
    is_hidden[hidden] = True
    row = np.repeat(np.arange(csr.shape[0], dtype=np.int64), np.diff(csr.indptr))
    given = np.isin(row * csr.shape[1] + csr.indices, rows.astype(np.int64) * csr.shape[1] + hidden[places])
    kept = ~is_hidden[csr.indices] | given
    return csr_from_pairs(row[kept].astype(np.int32), csr.indices[kept], csr.data[kept], csr.shape)
