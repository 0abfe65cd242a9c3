"""Finding: the result of one check of `recsys doctor`."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "problem", "not checked"]


@dataclass(frozen=True)
class Finding:
    """The result of one check: a sentence, and after a problem what to do.

    `exit_code`: that of a run of the job with this problem.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""
    exit_code: int = 1

    @property
    def fine(self) -> bool:
        """Whether no problem was found."""
        return self.status != "problem"

    def to_dict(self) -> dict[str, str | bool]:
        """As plain JSON values; a remedy only if there is one."""
        tree: dict[str, str | bool] = {
            "name": self.name,
            "status": self.status,
            "fine": self.fine,
            "detail": self.detail,
        }
        return tree | ({"remedy": self.remedy} if self.remedy else {})
