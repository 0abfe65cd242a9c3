"""Items without events in evaluate and train: how they get vectors is chosen, and the model is completed."""

from functools import partial
from pathlib import Path

import numpy as np

from pipelines.steps.content import FOLDER, content_space, stored_space
from pipelines.steps.encode import prepared_items
from pipelines.steps.workspace import Workspace
from recsys.content.cold_start.completion import ItemGroups, complete, known_items
from recsys.content.cold_start.prior import Pull, with_prior
from recsys.content.space import ContentSpace
from recsys.data.matrix import InteractionMatrix
from recsys.evaluation.cold_items import draw_cold_items, measure_cold_items
from recsys.evaluation.cold_start import ColdItemsSummary, ColdStartChoice
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.model import FactorModel
from recsys.models.registry import fit_model
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.tuning.cold_simulation import hidden_items
from recsys.tuning.cold_start import choose_cold_start


def space_over(
    config: PipelineConfig, workspace: Workspace, matrix: InteractionMatrix, *, progress: Progress
) -> ContentSpace | None:
    """The content of the items of `matrix`; None without `[[content]]`."""
    if not config.content:
        return None
    items = prepared_items(config, workspace)
    return content_space(config, stored_space(config, workspace), matrix, items, progress=progress)


def chosen_and_completed(
    model: FactorModel,
    fitted: FactorModelConfig,
    matrix: InteractionMatrix,
    config: PipelineConfig,
    workspace: Workspace,
    *,
    progress: Progress,
) -> tuple[FactorModel, ColdStartChoice | None]:
    """`model`, which `fitted` describes and which was fitted on `matrix`, with vectors of new items; and the choice.

    The model itself and None without `[[content]]`.
    """
    space = space_over(config, workspace, matrix, progress=progress)
    if space is None:
        return model, None
    choice = choose_cold_start(
        model,
        matrix.csr,
        space,
        config.cold_start,
        sources=config.content_sources,
        popularity_exponent=fitted.popularity_exponent,
        metric=config.publish.metric,
        progress=progress,
    )
    choice = choice.model_copy(
        update={"measured": _measured(model, fitted, matrix, space, choice, config, workspace, progress=progress)}
    )
    pull = partial(with_prior, csr=matrix.csr)
    return _completed(model, fitted, pull, space, choice, config, progress), choice


def _measured(
    model: FactorModel,
    fitted: FactorModelConfig,
    matrix: InteractionMatrix,
    space: ContentSpace,
    choice: ColdStartChoice,
    config: PipelineConfig,
    workspace: Workspace,
    *,
    progress: Progress,
) -> ColdItemsSummary | None:
    """What the choice brings items that a fit of their own never saw, or saw with few users; None if it is not asked.

    They are other items than those of the choice.
    """
    if not config.cold_start.measure or choice.reason is not None:
        return None
    able, settings = known_items(space), config.cold_start
    warm = ItemGroups.of(model, space, settings.rare_events).warm
    rng = np.random.default_rng(settings.seed)
    able[hidden_items(warm, space, share=settings.hidden_share, rng=rng)] = False
    task = draw_cold_items(matrix, able, seed=config.cold_start.seed)
    if task is None:
        return None
    plain = fit_model(task.train, fitted, progress=progress)
    return measure_cold_items(
        task,
        plain,
        _completed(plain, fitted, partial(with_prior, csr=task.train.csr), space, choice, config, progress),
        choice.settings.weighted(space),
        prepared_items(config, workspace).aligned(matrix.items),
        metric=config.publish.metric,
        evaluate=config.evaluate,
        seed=config.cold_start.seed,
    )


def completed_as_chosen(
    model: FactorModel,
    fitted: FactorModelConfig,
    matrix: InteractionMatrix,
    config: PipelineConfig,
    workspace: Workspace,
    *,
    pull: Pull,
    choice: ColdStartChoice | None,
    folder: Path,
    progress: Progress,
) -> FactorModel:
    """`model` with vectors of new items by the `choice` of evaluate; `pull`: with the matrix that it was fitted on.

    The content, with the chosen weights, is written into the `folder` of the step, for the version.
    """
    space = None if choice is None else space_over(config, workspace, matrix, progress=progress)
    if space is None or choice is None:
        return model
    choice.settings.weighted(space).save(folder / FOLDER)
    return _completed(model, fitted, pull, space, choice, config, progress)


def _completed(
    model: FactorModel,
    fitted: FactorModelConfig,
    pull: Pull,
    space: ContentSpace,
    choice: ColdStartChoice,
    config: PipelineConfig,
    progress: Progress,
) -> FactorModel:
    return complete(
        model,
        space,
        choice.settings,
        pull=pull,
        config=config.cold_start,
        popularity_exponent=fitted.popularity_exponent,
        progress=progress,
    )
