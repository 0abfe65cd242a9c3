"""The fits of a short search, and where the work ends them."""

from recsys.data.interactions import Interactions
from recsys.models.registry import model_config
from recsys.pipeline_config import PipelineConfig
from recsys.progress import silent
from recsys.tuning.trial_fits import Fits
from recsys.tuning.validation import Validation
from recsys.tuning.work import WorkBudget, work_on


def test_a_fit_ends_with_its_share_of_the_work(events: Interactions, config: PipelineConfig) -> None:
    data = Validation(events, config, n_users=2_000).under(config)
    model = model_config({"factors": 8, "iterations": 8, "neighbours": 0})
    limit = work_on(data, model, iterations=100, measurements=100)
    share = work_on(data, model, iterations=1, measurements=1) / limit

    def tried(share: float) -> tuple[tuple[int, ...], bool]:
        fits = Fits(frozenset(), WorkBudget(limit), silent, lambda: True)
        fit = fits.fit(data, model, roughly=True, share=share)
        assert fit is not None
        return tuple(each.iterations for each in fit.curve), fit.cut

    assert tried(share) == ((2,), True)
    assert tried(1.0) == ((2, 4, 8), False)
