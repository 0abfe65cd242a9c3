"""Cold items in evaluate: a second fit that never saw an event of some items, and how well these are found."""

from collections.abc import Iterator

from pipelines.steps.cold_start import space_over
from pipelines.steps.encode import prepared_items
from pipelines.steps.workspace import Workspace
from recsys.content.cold_start.completion import complete
from recsys.content.space import ContentSpace
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.data.splits.hidden_items import HiddenItems, hide_items
from recsys.evaluation.category_popularity import category_columns, popularity_by_category
from recsys.evaluation.cold_items import Contestant, of_content, of_model, of_popularity, score_cold_items
from recsys.evaluation.cold_items_summary import ColdItemsSummary
from recsys.evaluation.cold_start import ColdStartChoice
from recsys.models.factors.config import FactorModelConfig
from recsys.models.registry import fit_model
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress

_MOST_CATEGORIES = 3
_ANOTHER_DRAW = 1_000_003


def cold_items_of(
    train: InteractionMatrix,
    fitted: FactorModelConfig,
    choice: ColdStartChoice | None,
    config: PipelineConfig,
    workspace: Workspace,
    *,
    progress: Progress,
) -> ColdItemsSummary | None:
    """How well items of `train` are found by a model that was fitted without their events, as `choice` says.

    `fitted`: the settings of the model. None without `[[content]]`, with `evaluate.cold_items = 0`, or if there are
    too few items or users. The items are drawn by another seed than those that the choice was made on.
    """
    if choice is None or not config.evaluate.cold_items:
        return None
    hidden = _hidden(train, config)
    if len(hidden.items) < 2 or len(hidden.users) < 2:
        return None
    space = space_over(config, workspace, hidden.visible, progress=progress)
    if space is None:
        return None
    items = prepared_items(config, workspace).aligned(train.items)
    contestants = dict(_contestants(hidden, fitted, choice, space, items, config, progress))
    among_hidden, among_all = score_cold_items(contestants, hidden, config.evaluate.cutoffs, config.evaluate)
    return ColdItemsSummary(
        metric=config.publish.metric,
        n_hidden=len(hidden.items),
        n_others=int((hidden.visible.item_degree > 0).sum()),
        n_users=len(hidden.users),
        among_hidden=among_hidden,
        among_all=among_all,
    )


def _hidden(train: InteractionMatrix, config: PipelineConfig) -> HiddenItems:
    cold = config.cold_start
    return hide_items(
        train,
        cold.hidden_share,
        seed=cold.seed + _ANOTHER_DRAW,
        min_users=cold.rare_events + 1,
        max_users=config.evaluate.cold_items,
    )


def _contestants(
    hidden: HiddenItems,
    fitted: FactorModelConfig,
    choice: ColdStartChoice,
    space: ContentSpace,
    items: Items,
    config: PipelineConfig,
    progress: Progress,
) -> Iterator[tuple[str, Contestant]]:
    def hidden_progress(stage: str, done: float, total: float | None) -> None:
        progress(f"without hidden items: {stage}", done, total)

    model = complete(
        fit_model(hidden.visible, fitted, progress=hidden_progress),
        hidden.visible.csr,
        space,
        choice.settings,
        config=config.cold_start,
        popularity_exponent=fitted.popularity_exponent,
        progress=hidden_progress,
    )
    yield fitted.algorithm, of_model(fitted.algorithm, model)
    yield "content", of_content(choice.settings.weighted(space).vectors)
    degree = hidden.visible.item_degree
    for column in list(category_columns(items))[:_MOST_CATEGORIES]:
        name = f"popular by {column}"
        counted = (degree > 0).nonzero()[0].astype("int32")
        yield name, of_popularity(name, popularity_by_category(items, column, degree, counted=counted))
