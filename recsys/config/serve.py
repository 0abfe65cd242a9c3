"""`[serve]`: what the service does with a version, unless its own settings say otherwise."""

from typing import Literal, TypeAlias

from pydantic import Field

from recsys.config.base import Section

Users: TypeAlias = Literal["stored", "fold_in"]
"""Where the vectors of users come from when they are asked for: from the version, or from their stored histories."""


class ServeConfig(Section):
    """`[serve]`: how the service answers from this version; `recsys serve --users` overrides it."""

    users: Users = Field(
        "stored",
        description="where the vector of a known user comes from: `stored` in the version, or `fold_in`, solved from "
        "the stored history when it is asked for, which needs no vectors of users in memory or in a replica "
        "(docs/replicas.md); the lists are the same. Not for `bpr`, whose users have vectors of their own",
    )
