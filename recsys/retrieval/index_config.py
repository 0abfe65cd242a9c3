"""`[index]` of a pipeline.toml."""

from pydantic import Field, field_validator

from recsys.config import LARGEST_SEED, Section
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex
from recsys.suggestions import nearest_name

AUTO = "auto"
"""The kind that leaves the choice to `choose_index`."""

_DESCRIPTION = "a family of docs/indexes.md; `auto` stays exact until another pays; one of `auto`, `exact`, "


class IndexConfig(Section):
    """`[index]`: how item vectors are searched."""

    kind: str = Field(AUTO, description=_DESCRIPTION + ", ".join(f"`{name}`" for name in FAMILIES))
    recall_target: float = Field(
        0.99, gt=0, le=1, description="recall@100 and recall@10 against exact search on this model's own user vectors"
    )
    training_share: float = Field(
        0.25,
        gt=0,
        le=1000,
        description="auto: how much work the choice may take, as a share of the work of all that a night fits; both "
        "are counted, never timed",
    )
    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="of the sample that cells and codes are learned from")

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        known = (AUTO, FlatIndex.kind, *FAMILIES)
        if kind not in known:
            nearest = nearest_name(kind, known)
            hint = f"did you mean {nearest!r}? " if nearest else ""
            raise ValueError(f"{hint}expected one of {', '.join(known)}")
        return kind
