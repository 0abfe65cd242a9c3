"""Open settings: those of a `[model]` section that the file does not set, and so a short search may choose."""

from collections.abc import Iterator

from pydantic import JsonValue

from recsys.data.matrix import Csr
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.config import NEIGHBOURS, FactorModelConfig, stops_early
from recsys.models.registry import publishable
from recsys.tuning.candidates import CANDIDATES, sizes
from recsys.tuning.settings import FOUND, Setting, found_in_fit, space_of
from recsys.tuning.space import has_meaning

MOST_ITERATIONS = 15
"""The last iteration of a fit of ALS that keeps getting better, unless the section sets the number."""

_ALS = ("factors", "weighting", "user_degree_exponent", "item_degree_exponent", "bm25_k1", "bm25_b")
_ALS_SOLVE = ("alpha", "regularization", "start")
_STEP = 2.0


def open_keys(model: FactorModelConfig) -> frozenset[str]:
    """The keys that a short search may choose: none with `auto = false`, and none that are set."""
    if not model.auto:
        return frozenset()
    searched = {*_ALS, *_ALS_SOLVE} if isinstance(model, AlsConfig) else _few(model)
    found = {name for name in FOUND if name in type(model).model_fields}
    if not stops_early(model):
        found.discard("iterations")
    if "neighbours" in model.model_fields_set and not model.neighbours:
        found.discard("neighbours_share")
    return frozenset(({"neighbours"} | searched | found) - model.model_fields_set)


def _few(model: FactorModelConfig) -> set[str]:
    """Another algorithm's dimension, if it can be searched: its other numbers take too many fits."""
    return {"factors"} & set(publishable()[model.algorithm].tunable)


def largest(model: FactorModelConfig, shape: tuple[int, int]) -> FactorModelConfig:
    """`model` at the highest dimension, and with the most neighbours, that may be chosen for a matrix of `shape`."""
    keys = open_keys(model)
    update = {"factors": allowed_sizes(model, keys, shape)[-1]}
    return model.model_copy(update=update | ({"neighbours": NEIGHBOURS} if "neighbours" in keys else {}))


def settings_of(model: FactorModelConfig, keys: frozenset[str]) -> dict[str, JsonValue]:
    """The values of `keys`, except for those without a meaning beside the others, in the order of the section."""
    chosen = {name: getattr(model, name) for name in ("weighting",) if name in type(model).model_fields}
    return {
        name: getattr(model, name)
        for name in type(model).model_fields
        if name in keys and (not chosen or has_meaning(name, chosen))
    }


def candidate_models(model: FactorModelConfig, keys: frozenset[str], train: Csr) -> Iterator[FactorModelConfig]:
    """The section with each of the settings that are tried first; itself if it is not ALS.

    A candidate of another weighting than one that is set is left out; without any the section is tried as it is. If
    alpha is set and not the regularization, a candidate keeps its ratio of the two, and the other way round.
    """
    if not isinstance(model, AlsConfig):
        yield with_all_to_find(model, keys)
        return
    suited = [each for each in CANDIDATES if "weighting" in keys or each["weighting"] == model.weighting]
    if not suited:
        yield with_all_to_find(model, keys)
    for candidate in suited:
        whole = model.model_copy(update={**candidate, **_set(model, keys - {"alpha", "regularization"})})
        yield _at(model, whole, keys, train)


def at_size(model: FactorModelConfig, factors: int) -> FactorModelConfig:
    """`model` with another dimension."""
    return model.model_copy(update={"factors": factors})


def allowed_sizes(model: FactorModelConfig, keys: frozenset[str], shape: tuple[int, int]) -> tuple[int, ...]:
    """The dimensions that may be chosen for a matrix of `shape`, ascending."""
    return sizes(*shape) if "factors" in keys else (model.factors,)


def steps_around(best: FactorModelConfig, keys: frozenset[str], train: Csr) -> Iterator[FactorModelConfig]:
    """`best` with twice and half the regularization, and then with twice and half the strength."""
    if not isinstance(best, AlsConfig):
        return
    space = space_of(best)
    point = space.point(train)
    for name in ("penalty", "strength"):
        for factor in (_STEP, 1 / _STEP):
            moved = space.settings({**point, name: float(point[name]) * factor}, train)
            yield _kept(best, moved, keys)


def _at(section: AlsConfig, whole: AlsConfig, keys: frozenset[str], train: Csr) -> FactorModelConfig:
    """`whole`, with alpha or regularization as set in `section` and the other one in the ratio of `whole`."""
    if {"alpha", "regularization"} <= keys:
        return with_all_to_find(whole, keys)
    ratio = whole.regularization / whole.alpha
    if "regularization" in keys:
        solve = {"alpha": section.alpha, "regularization": section.alpha * ratio}
    elif "alpha" in keys:
        solve = {"alpha": section.regularization / ratio or whole.alpha, "regularization": section.regularization}
    else:
        solve = {"alpha": section.alpha, "regularization": section.regularization}
    return with_all_to_find(whole.model_copy(update=solve), keys)


def _kept(model: FactorModelConfig, moved: dict[str, Setting], keys: frozenset[str]) -> FactorModelConfig:
    """`model` with those of the settings `moved` that are open, except for what a fit finds."""
    found = found_in_fit(model)
    return model.model_copy(update={name: moved[name] for name in moved if name in keys and name not in found})


def _set(model: FactorModelConfig, keys: frozenset[str]) -> dict[str, object]:
    """The settings of `model` that a candidate may not change."""
    names = {*_ALS, "start"} - keys
    return {name: getattr(model, name) for name in names}


def with_all_to_find(model: FactorModelConfig, keys: frozenset[str]) -> FactorModelConfig:
    """`model` with as many iterations as a fit of the search may take, and with neighbours.

    An earlier fit, or the serving version, may have stopped sooner: that number is no limit.
    """
    update = {"neighbours": NEIGHBOURS} if "neighbours" in keys else {}
    if "iterations" in keys:
        default = type(model).model_fields["iterations"].default
        update["iterations"] = MOST_ITERATIONS if isinstance(model, AlsConfig) else default
    return model.model_copy(update=update)
