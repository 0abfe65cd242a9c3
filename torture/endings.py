"""How the jobs of a campaign ended."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Endings:
    """How jobs ended, by fault and exit code, and what was wrong after some of them."""

    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def n_tried(self) -> int:
        """Jobs with a fault."""
        return self.counts.total()
