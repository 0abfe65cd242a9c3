"""The split that a configuration makes of its log."""

from pipelines.prepare import history_of, matrix_of
from recsys.config import PipelineConfig
from recsys.data.interactions import Interactions
from recsys.data.splits import Split, make_split


def split_of(events: Interactions, config: PipelineConfig, given: Interactions | None) -> Split:
    """The split that this configuration makes; cleaning looks at train events only."""
    return make_split(
        events,
        config.evaluate,
        build=lambda train, now: matrix_of(train, config, now)[0],
        weigh=lambda history, now: history_of(history, config, now),
        given=given,
    )
