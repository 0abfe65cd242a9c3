"""Settings of baselines that are searched on the validation part of the train side: the regularization of EASE."""

import logging
from collections.abc import Collection

from recsys.data.interactions import Interactions
from recsys.errors import DataError
from recsys.evaluation.definitions import split_name
from recsys.evaluation.evaluator import score_lists
from recsys.models.neighbours.ease import REGULARIZATION, EaseRecommender, try_regularizations
from recsys.models.neighbours.regularization import most_values
from recsys.models.recommender import Queries
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.tuning.validation import Validation

logger = logging.getLogger(__name__)

_USERS = 2_000
_DEFAULT = f"ease: default regularization {REGULARIZATION:g}"


def baseline_settings(
    events: Interactions,
    config: PipelineConfig,
    names: Collection[str],
    *,
    n_items: int,
    progress: Progress = silent,
) -> dict[str, dict[str, float]]:
    """Those of the baselines `names` that have settings to be searched, the best by `publish.metric`.

    `events`: the whole log; its holdout is cut off first and not looked at. `n_items`: of the train side. A baseline
    is left out, and has its defaults, if the train side cannot be split again or has too many items; a warning says
    why. Raises ModelError as its fit does.
    """
    if "ease" not in names:
        return {}
    if most_values(n_items) < 2:
        logger.warning("%s, because %d items are too many to search", _DEFAULT, n_items)
        return {}
    try:
        data = Validation(events, config, n_users=_USERS).under(config)
    except DataError as error:
        logger.warning("%s, because the train side cannot be split again: %s", _DEFAULT, error)
        return {}
    queries, k = Queries(data.history, data.user_idx, data.left_out), split_name(data.metric)[1]

    def quality(fitted: EaseRecommender) -> float:
        return float(score_lists(fitted.recommend(queries, k), data.holdout, data.metric).mean())

    tried = try_regularizations(data.train, quality, progress=progress)
    return {"ease": {"regularization": max(tried, key=lambda value: tried[value])}} if tried else {}
