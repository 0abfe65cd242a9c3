"""The choice of a night for items without events: which way from content to vectors is best on hidden items."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from recsys.content.cold_start.completion import complete, scale_of_new
from recsys.content.cold_start.config import ColdStartConfig
from recsys.content.cold_start.prior import with_prior
from recsys.content.cold_start.settings import ColdStartSettings
from recsys.content.config import EncoderConfig
from recsys.content.space import ContentSpace
from recsys.data.matrix import Csr
from recsys.evaluation.cold_start import ColdStartCandidate, ColdStartChoice
from recsys.evaluation.metrics import Values
from recsys.models.factors.model import FactorModel
from recsys.progress import Progress, silent
from recsys.tuning.cold_rare import choose_for_rare
from recsys.tuning.cold_simulation import ColdSimulation, simulate

logger = logging.getLogger(__name__)

_NEIGHBOURS, _POWERS = (5, 10, 20, 50), (1.0, 2.0, 4.0, 8.0, 16.0)
_RIDGES = (0.1, 1.0, 10.0)
_STEPS = (0.0, 0.25, 0.5, 2.0, 4.0)
_OWN, _LOCAL = (0.0, 0.5, 1.0, 2.0, 4.0), (0.25, 0.5, 1.0)
# Not above 1: among themselves new items gain by more, but among all they push the others out of the lists.
_ROUNDS = 2
_CLEAR = 2.0  # standard errors of a gain over the mean of neighbours
_DEPTH = 100  # content neighbours by each source that are looked at, or as many as the configuration asks for

_LONGEST = 120
"""Settings that a search with three sources tries, about; progress is told in these."""


def choose_cold_start(
    model: FactorModel,
    csr: Csr,
    space: ContentSpace,
    config: ColdStartConfig,
    *,
    sources: Sequence[EncoderConfig] = (),
    popularity_exponent: float = 0.0,
    metric: str = "ndcg@20",
    progress: Progress = silent,
) -> ColdStartChoice:
    """Choose what `[cold_start]` and the `weight` of `sources` do not set, by simulated coldness.

    `csr`: float32 CSR (n_users, n_items), the train side on which `model` was fitted. `space`: over the same items.
    `popularity_exponent`: of the model. See `simulate` for what is hidden; settings are tried one after the other
    from a default, in counted work, and compared by the mean of `metric` among the hidden items.
    """
    start = first_settings(config, space, sources)
    simulation = simulate(
        model,
        csr,
        space,
        rare_events=config.rare_events,
        hidden_share=config.hidden_share,
        scale=scale_of_new(model, popularity_exponent, config.pseudo_users),
        seed=config.seed,
        depth=max(_DEPTH, config.neighbours or 0),
        progress=progress,
    )
    if isinstance(simulation, str):
        logger.warning("cold start: settings have their defaults: %s", simulation)
        return ColdStartChoice(metric=metric, settings=start, reason=simulation)
    search = _Search(simulation, metric, config, _open_sources(space, sources), progress)
    candidates = search.families(start)
    settings = search.refined(search.preferred(candidates))
    choice = _choice(search, candidates, settings, seed=config.seed)
    complete_with = partial(
        complete,
        model,
        space,
        pull=partial(with_prior, csr=csr),
        config=config,
        popularity_exponent=popularity_exponent,
        progress=progress,
    )
    rare = choose_for_rare(simulation, csr, settings, config, metric=metric, complete_with=complete_with)
    return choice if rare is None else choice.model_copy(update={"settings": rare.settings, "rare": rare.summary})


def first_settings(
    config: ColdStartConfig, space: ContentSpace, sources: Sequence[EncoderConfig] = ()
) -> ColdStartSettings:
    """What the configuration sets, and the default of what it does not set."""
    default = ColdStartSettings()
    set_weights = {each.source_name: each.weight for each in sources}
    return ColdStartSettings(
        method=default.method if config.method == "auto" else config.method,
        neighbours=config.neighbours or default.neighbours,
        power=default.power if config.power is None else config.power,
        prior_strength=config.prior_strength or 0.0,
        weights={each.name: set_weights.get(each.name) or 1.0 for each in space.sources},
    )


def _open_sources(space: ContentSpace, sources: Sequence[EncoderConfig]) -> tuple[str, ...]:
    fixed = {each.source_name for each in sources if each.weight is not None}
    return tuple(each.name for each in space.sources if each.name not in fixed)


Tried = tuple[ColdStartSettings, float]


@dataclass(eq=False)
class _Search:
    """Measures settings on the simulation, each once. `open_sources`: those whose weight is to be chosen."""

    simulation: ColdSimulation
    metric: str
    config: ColdStartConfig
    open_sources: tuple[str, ...]
    progress: Progress
    known: dict[str, Values] = field(default_factory=dict)

    def per_user(self, settings: ColdStartSettings) -> Values:
        """Float64 (n,): the metric of every user."""
        key = repr(settings)
        if key not in self.known:
            self.known[key] = self.simulation.lists(settings, (self.metric,))[0]
            self.progress("cold start", min(len(self.known), _LONGEST), _LONGEST)
        return self.known[key]

    def score(self, settings: ColdStartSettings) -> float:
        """The mean over users."""
        return float(self.per_user(settings).mean())

    def preferred(self, families: Mapping[str, Tried]) -> ColdStartSettings:
        """The mean of neighbours, because it can be explained, unless another family is better beyond chance."""
        best = max(families, key=lambda name: families[name][1])
        plain = families.get("neighbours")
        if plain is None:
            return families[best][0]
        gain = self.per_user(families[best][0]) - self.per_user(plain[0])
        error = float(gain.std()) / len(gain) ** 0.5
        return families[best][0] if float(gain.mean()) > _CLEAR * error else plain[0]

    def best_of(self, tried: Iterator[ColdStartSettings] | Sequence[ColdStartSettings]) -> ColdStartSettings:
        """The best of `tried`, the first of equal ones."""
        return max(tried, key=self.score)

    def families(self, start: ColdStartSettings) -> dict[str, Tried]:
        """The best of each family of candidates, by name."""
        found = dict[str, ColdStartSettings]()
        method = self.config.method
        if method != "ridge":
            found |= self._alone(start)
            found["neighbours, equal weights"] = near = self.best_of(self._shapes(start))
            found["neighbours"] = near = self._weighted(near)
            found["neighbours"] = near = self.best_of((near, *self._shapes(near)))
        else:
            near = start
        if method in ("auto", "ridge"):
            found["ridge"] = self.best_of([replace(near, method="ridge", ridge=each) for each in _RIDGES])
        if method in ("auto", "sum"):
            ridge = found["ridge"].ridge if "ridge" in found else ColdStartSettings().ridge
            found["sum"] = self.best_of([replace(near, method="sum", ridge=each) for each in {ridge, 1.0}])
        allowed = {name: each for name, each in found.items() if method in ("auto", each.method)}
        return {name: (each, self.score(each)) for name, each in allowed.items()}

    def refined(self, settings: ColdStartSettings) -> ColdStartSettings:
        """`settings` with the length of vectors and the neighbours' part chosen too."""
        settings = self.best_of([settings, replace(settings, full_length=not settings.full_length)])
        if self.simulation.added is None:
            return settings
        for _ in range(_ROUNDS):
            settings = self.best_of([settings, *(replace(settings, own_weight=each) for each in _OWN)])
            settings = self.best_of([settings, *(replace(settings, local=each) for each in _LOCAL)])
        return self.best_of((settings, *self._shapes(settings)))

    def _alone(self, start: ColdStartSettings) -> dict[str, ColdStartSettings]:
        """Each source without the others, if there are several and all weights are open."""
        names = list(start.weights)
        if len(names) < 2 or len(self.open_sources) < len(names):
            return {}
        alone = {name: replace(start, weights={other: float(other == name) for other in names}) for name in names}
        return {f"neighbours, {name} alone": each for name, each in alone.items()}

    def _shapes(self, settings: ColdStartSettings) -> Iterator[ColdStartSettings]:
        """Other numbers of neighbours and powers, where the configuration leaves them open."""
        sizes = _NEIGHBOURS if self.config.neighbours is None else (settings.neighbours,)
        powers = _POWERS if self.config.power is None else (settings.power,)
        return (replace(settings, neighbours=k, power=power) for k in sizes for power in powers)

    def _weighted(self, settings: ColdStartSettings) -> ColdStartSettings:
        """The weights of the sources, one after the other, until no step is better."""
        if len(settings.weights) < 2:
            return settings
        for _ in range(_ROUNDS):
            before = settings
            for name in self.open_sources:
                settings = self.best_of([settings, *_steps(settings, name)])
            if settings == before:
                break
        return settings


def _steps(settings: ColdStartSettings, name: str) -> Iterator[ColdStartSettings]:
    """`settings` with other weights of the source `name`; another source must keep one above zero."""
    for step in _STEPS:
        weights: Mapping[str, float] = {**settings.weights, name: (settings.weights[name] or 1.0) * step}
        if any(weights.values()):
            yield replace(settings, weights=weights)


def _choice(
    search: _Search, families: Mapping[str, Tried], settings: ColdStartSettings, *, seed: int
) -> ColdStartChoice:
    simulation, metrics = search.simulation, _reported(search.metric)
    random = simulation.in_random_order(metrics, seed=seed)
    candidates = [_candidate("random", metrics, random)]
    for name, (each, _) in families.items():
        candidates.append(_candidate(name, metrics, simulation.lists(each, metrics)))
    candidates.append(_candidate("chosen", metrics, simulation.lists(settings, metrics)))
    return ColdStartChoice(
        metric=search.metric,
        settings=settings,
        n_hidden=len(simulation.hidden),
        n_warm=len(simulation.warm),
        n_users=len(simulation.users),
        n_tried=len(search.known),
        chosen="chosen",
        candidates=tuple(candidates),
    )


def _reported(metric: str) -> tuple[str, ...]:
    """`metric`, and recall at its cut-off."""
    recall = f"recall@{metric.rsplit('@', 1)[1]}"
    return (metric,) if metric == recall else (metric, recall)


def _candidate(name: str, metrics: Sequence[str], values: Sequence[Values]) -> ColdStartCandidate:
    scores = {metric: float(each.mean()) for metric, each in zip(metrics, values, strict=True)}
    return ColdStartCandidate(name=name, scores=scores)
