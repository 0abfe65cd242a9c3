"""How much memory and time a job may take."""

from dataclasses import dataclass
from typing import Any

from recsys.models.memory import available_bytes

DAY = 86_400.0
_STALL = 7_200.0
_LEAST_RESERVE, _RESERVE_SHARE = 128 * 2**20, 0.05


@dataclass(frozen=True)
class Limits:
    """`memory`: bytes. `seconds`: until the end. `stall`: seconds without progress and without processor time."""

    memory: float
    seconds: float = DAY
    stall: float = _STALL

    @staticmethod
    def usual() -> "Limits":
        """Those of a job that sets none: the memory that is available now, less a reserve for the rest."""
        return Limits(usable_bytes())

    def changed(self, told: dict[str, Any]) -> "Limits":
        """With those of the configuration; None stays as it is, infinity is the word "none"."""
        given = {name: value for name, value in told.items() if value is not None}
        return Limits(**{**vars(self), **given})


def usable_bytes() -> float:
    """What a job may use of the memory that is available now."""
    available = available_bytes()
    return available - max(_LEAST_RESERVE, _RESERVE_SHARE * available)
