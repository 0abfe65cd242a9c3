"""The keys that the `[model]` sections of all factor models share, and the classes that declare what a model can do.

A model's own section derives from `FactorModelConfig`, or from `IterativeConfig` if it can be stopped early, or from
`WarmStartConfig` if it can also start from the vectors of an earlier fit. Steps check for these classes, never for
the name of an algorithm.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field, StrictBool

from recsys.config import LARGEST_SEED, Section

NEIGHBOURS = 50
"""How many of them every item has by default."""


class FactorModelConfig(Section):
    """`[model]`: what is learned, and how."""

    algorithm: str = Field(description="the model that is trained and served")
    factors: int = Field(128, ge=1, le=4096, description="dimension of the embeddings")
    popularity_exponent: float = Field(
        0.0, ge=-1, le=1, description="scores are multiplied by n_users_of_item ** this"
    )
    session_weight: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="how many times an item of the events in a request counts against the items of the user's stored "
        "history. By default `evaluate` finds it on sessions of the train side (docs/training.md); a log without "
        "times has 1, no difference",
    )
    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="of every random choice of the fit")
    continuity: Literal["none", "aligned"] = Field(
        "none",
        description="what ties the vectors to those of the serving version: nothing, or a rotation after the fit, "
        "which changes no score (docs/training.md)",
    )

    neighbours: int = Field(
        NEIGHBOURS,
        ge=0,
        le=1000,
        description="nearest items whose weights are learned for every item and added to its score; 0: none",
    )
    neighbours_regularization: float = Field(
        50.0, ge=1, le=1_000_000, description="of these weights, in units of an average entry of the matrix"
    )
    neighbours_share: float = Field(
        0.3,
        ge=0,
        le=100,
        description="how much the neighbours' part of a score varies, relative to the vectors' part",
    )
    auto: StrictBool = Field(
        True,
        description="choose what this section does not set on the validation part, before `evaluate` fits "
        "(docs/training.md); otherwise what is not set has the default of this page",
    )
    auto_share: float = Field(
        1.0,
        gt=0,
        le=100,
        description="auto: how much work the choice may take, as a share of the work of the two fits of a night at "
        "the largest dimension that it may choose",
    )

    not_learned: ClassVar[frozenset[str]] = frozenset(
        {
            "popularity_exponent",
            "session_weight",
            "continuity",
            "neighbours",
            "neighbours_regularization",
            "neighbours_share",
            "auto",
            "auto_share",
        }
    )
    """Keys that leave the vectors as they are. Subclasses add theirs."""

    def learned_by(self) -> dict[str, Any]:
        """The settings that the vectors depend on, by key."""
        return self.model_dump(mode="json", exclude=set(self.not_learned))


class IterativeConfig(FactorModelConfig):
    """A model that improves by iterations and can be stopped after any of them."""

    iterations: int = Field(ge=1, le=10_000, description="iterations of the fit, at most")
    early_stopping: StrictBool = Field(
        True,
        description="train as many iterations as were best on a validation part of the train side, which `evaluate` "
        "holds out; otherwise always `iterations`",
    )

    # With early stopping the number of iterations changes from night to night.
    not_learned: ClassVar[frozenset[str]] = FactorModelConfig.not_learned | {"iterations", "early_stopping"}


def stops_early(config: FactorModelConfig) -> bool:
    """Whether the number of iterations is to be found on a validation part."""
    return isinstance(config, IterativeConfig) and config.early_stopping


class WarmStartConfig(IterativeConfig):
    """A model that can start from the vectors of an earlier fit."""

    continuity: Literal["none", "aligned", "warm"] = Field(  # type: ignore[assignment]
        "none",
        description="what ties the vectors to those of the serving version: nothing; a rotation after the fit, "
        "which changes no score; or, `warm`, the fit starts from them (docs/training.md)",
    )
    warm_iterations: int = Field(1, ge=1, le=10_000, description='continuity = "warm": replaces `iterations`')
    warm_nights: int = Field(
        7,
        ge=1,
        le=10_000,
        description='continuity = "warm": warm fits in a row, at most; the next one is cold and aligned',
    )

    not_learned: ClassVar[frozenset[str]] = IterativeConfig.not_learned | {"warm_iterations", "warm_nights"}
