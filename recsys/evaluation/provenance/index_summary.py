"""IndexSummary: which index serves, and which others were measured."""

from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, JsonValue

if TYPE_CHECKING:
    pass
from recsys.evaluation.provenance.summary import OrAbsent, Summary


class IndexCandidate(Summary):
    """One index that was built and measured. `recall`: by situation. Times are of one query, in microseconds.

    `bytes`: size of its files without the vectors. `estimated_microseconds`: from counted work, by which candidates
    are compared; `microseconds`: by the clock.
    """

    kind: str
    parameters: dict[str, int]
    build_seconds: float
    bytes: int
    recall: dict[str, float]
    microseconds: float
    estimated_microseconds: float
    meets_target: bool
    published: bool


class IndexNotBuilt(Summary):
    """A family of index that was not built, and the reason."""

    kind: str
    reason: str


class IndexSummary(Summary):
    """The published index. Its parameters and recalls ("recall@100") are further keys: see `facts`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    kind: str
    candidates: Annotated[tuple[IndexCandidate, ...], Field(exclude_if=lambda value: not value)] = ()
    not_built: Annotated[tuple[IndexNotBuilt, ...], Field(exclude_if=lambda value: not value)] = ()
    similar: OrAbsent["IndexSummary"] = None

    @property
    def facts(self) -> dict[str, JsonValue]:
        """Kind, parameters and recalls."""
        return {"kind": self.kind, **self.__pydantic_extra__}
