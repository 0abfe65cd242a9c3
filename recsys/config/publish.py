"""`[publish]`: where versions go, and what a new one must not lose."""

from pathlib import Path
from typing import Literal

from pydantic import Field, StrictBool

from recsys.config.base import Section, StorePath
from recsys.config.limits import LimitsConfig


class PublishConfig(Section):
    """`[publish]`: where versions go, and what a new one must not lose."""

    store: StorePath = Field(
        Path("store"),
        description="folder of the published versions, or its address in an object store: `s3://bucket/folder`, "
        "`gs://`, `abfs://` (docs/object-store.md)",
    )
    keep: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="number of versions that stay in the store after a publish: the newest, and whichever serves, is "
        "held, or a rollback would go to; default: all",
    )
    metric: str = Field("ndcg@20", description="the metric that the gates use")
    max_metric_drop: float = Field(
        0.02,
        ge=0,
        le=1,
        description="share of the serving version's metric, and of its coverage, that a new one may lose",
    )
    report_ids: Literal["plain", "hashed", "none"] = Field(
        "plain",
        description="ids of the few users whose lists the report shows: as they are; the first 12 digits of their "
        "SHA-256, which whoever knows an id can find again; or numbers",
    )
    min_users: int = Field(
        30,
        ge=1,
        le=1_000_000_000,
        description="with fewer evaluated users most-popular is not beaten, and nothing is compared with the serving "
        "version",
    )
    map: Literal["pca", "tsne", "none"] = Field(
        "pca",
        description="how the two coordinates of every item are made: `pca` takes milliseconds, `tsne` (extra `map`) "
        "keeps neighbourhoods together (docs/embeddings.md)",
    )
    map_items: int = Field(
        10_000,
        ge=100,
        le=1_000_000,
        description="items that `map` is made from, those with the most users; the others are placed beside them",
    )
    must_beat_popular: StrictBool = Field(True, description="refuse a model that does not beat most-popular")
    limits: LimitsConfig = Field(
        LimitsConfig(), description="how much less than the serving version's a night may hold: [publish.limits]"
    )
