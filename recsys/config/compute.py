"""`[compute]`: which engine does the work, on this machine or on a cluster. It changes nothing of what is made."""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from recsys.config.base import FilePath, Section


class ComputeConfig(Section):
    """`[compute]`: which engine does the work, on this machine or on a cluster (docs/spark.md)."""

    engine: Literal["local", "spark"] = Field(
        "local", description='this machine alone, or Apache Spark (extra "spark", Java 17 or newer)'
    )
    master: str | None = Field(
        None,
        min_length=1,
        max_length=1_000,
        description='engine = "spark": the cluster, such as "local[2]", "spark://host:7077" or "k8s://https://host"; '
        "by default that of spark-submit or of the session that is open, else all cores of this machine",
    )
    conf: dict[str, str] = Field(
        default_factory=dict,
        description='engine = "spark": settings of Spark, by name, such as "spark.executor.memory"',
    )
    scratch: FilePath | None = Field(
        None,
        description='engine = "spark": folder for blocks and checkpoints, at the same path for the driver and every '
        "executor; each workspace has a folder of its own in it; by default `spark` in the workspace",
    )
    block_entries: int = Field(
        2_000_000,
        ge=1_000,
        le=200_000_000,
        description='engine = "spark": entries of the matrix in a block of rows; one task works on one block',
    )
    broadcast_mib: int = Field(
        512,
        ge=0,
        le=65_536,
        description='engine = "spark": vectors of up to this size are sent whole to every executor; larger ones go '
        "to each block as far as its rows name them",
    )
    sample_events: int = Field(
        5_000_000,
        ge=10_000,
        le=1_000_000_000,
        description='engine = "spark": settings are searched, and neighbours and item baselines are learned, by '
        "the driver, on whole users drawn at random who have up to this number of events in all",
    )

    @field_validator("conf", mode="before")
    @classmethod
    def _flat(cls, conf: object) -> object:
        """`spark.executor.memory = "2g"` of TOML is nested tables; numbers and true or false become Spark's texts."""
        return dict(_settings(conf)) if isinstance(conf, dict) else conf

    @field_validator("conf")
    @classmethod
    def _known(cls, conf: dict[str, str]) -> dict[str, str]:
        for name in conf:
            if not name.startswith("spark."):
                raise ValueError(f'got the setting {name!r}, expected names that begin with "spark."')
        return conf

    @model_validator(mode="after")
    def _of_spark(self) -> Self:
        given = sorted(self.model_fields_set - {"engine"})
        if self.engine == "local" and given:
            raise ValueError(f'{given[0]}: is for engine = "spark", got engine = "local"')
        return self

    def scratch_in(self, workspace: Path) -> Path:
        """The folder for blocks and checkpoints of a job with this workspace, which no other job has."""
        if self.scratch is None:
            return workspace / "spark"
        place = blake2b(str(workspace).encode(), digest_size=4).hexdigest()
        return self.scratch / f"recsys-{workspace.name}-{place}"


def _settings(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value).lower() if isinstance(value, bool | int | float) else value
