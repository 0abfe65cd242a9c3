"""`[publish]`: where versions go, and what a new one must not lose."""

from pathlib import Path

from pydantic import Field

from recsys.config.base import FilePath, Section


class PublishConfig(Section):
    """`[publish]`: where versions go, and what a new one must not lose."""

    store: FilePath = Field(Path("store"), description="folder of the published versions")
    metric: str = Field("ndcg@20", description="the metric that the gates use")
    max_metric_drop: float = Field(
        0.02,
        ge=0,
        le=1,
        description="share of the serving version's metric, and of its coverage, that a new one may lose",
    )
    must_beat_popular: bool = Field(True, description="refuse a model that does not beat most-popular")
