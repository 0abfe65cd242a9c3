"""The service's settings: read from the environment once, frozen afterwards."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from recsys.config import DATA_DIR_VARIABLE
from recsys.errors import ConfigError
from recsys.suggestions import nearest_name

PREFIX = "RECSYS_"
"""Every variable is this and the field's name in capitals: `RECSYS_POLL_SECONDS`."""

FIGURES_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that says where worker processes keep their figures, so that any of them can answer for all. The
library behind /metrics reads it when it is imported."""

SECRETS = frozenset({"admin_key"})
"""Settings that are variables only: everybody on the machine sees a command line."""

logger = logging.getLogger(__name__)


class Settings(BaseModel):
    """Where the models come from and how the service behaves."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    store: Path = Field(description="folder of the published versions")
    poll_seconds: float = Field(
        2.0, gt=0, le=3600, description="how often the store is asked for a newly published version"
    )
    recall_sample: float = Field(
        0.01, ge=0, le=1, description="share of lists that are checked by exact search where the index approximates"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe messages written: debug, info (one line a request), warning or error"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="text, lines for people, or json, one object a line for programs"
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[\w.~-]+)*$",
        description="path that a reverse proxy in front cuts off, so that /docs finds its way",
    )
    admin_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="a key of at least 16 characters for POST /admin/reload and /admin/rollback, which do not exist "
        "without one",
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """The settings in `environ`; what is not there keeps its default, the store has none.

        Raises ConfigError naming the variable, what came and what was expected.
        """
        given = {name: environ[variable(name)] for name in cls.model_fields if variable(name) in environ}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise ConfigError("\n".join(_explain(problem) for problem in error.errors())) from error

    def to_environment(self) -> dict[str, str]:
        """The variables that give these settings back: how worker processes get them."""
        return {variable(name): _text(value) for name, value in self if value is not None}


def variable(name: str) -> str:
    """The environment variable of one setting."""
    return PREFIX + name.upper()


def flag(name: str) -> str:
    """The command line's option for one setting."""
    return "--" + name.replace("_", "-")


def warn_of_unknown(environ: Mapping[str, str]) -> None:
    """Log a warning for each variable that has the prefix but is no setting: most likely a slip of the pen."""
    known = [variable(name) for name in Settings.model_fields]
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in (*known, DATA_DIR_VARIABLE):
            # Without the prefix, which makes any two of them alike.
            nearest = nearest_name(name.removeprefix(PREFIX), (it.removeprefix(PREFIX) for it in known))
            hint = f"did you mean {PREFIX}{nearest}?" if nearest else f"known here: {', '.join(known)}"
            logger.warning("%s is no setting of the service and has no effect; %s", name, hint)


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _explain(problem: Any) -> str:
    name, expected = str(problem["loc"][0]), problem["msg"].replace("Input should be", "expected")
    if problem["type"] == "missing":
        return f"{flag(name)} ({variable(name)}): not given; expected {Settings.model_fields[name].description}"
    if name in SECRETS:
        return f"{variable(name)}: expected {Settings.model_fields[name].description}"
    return f"{flag(name)} ({variable(name)}): got {problem['input']!r}; {expected}"
