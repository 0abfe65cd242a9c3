"""Dialect: how the fields of a CSV text are separated, and which columns have no line ends."""

from dataclasses import dataclass

import numpy as np

from recsys.data.ingest.csv_quote_runs import Flags, Positions


@dataclass(frozen=True)
class Dialect:
    """How fields are separated: `delimiter`, one ASCII character, and whether quotes have a meaning.

    `n_fields`: of a record, None if it is not known yet. `replaced`: the delimiter of the file, if recoding replaced
    it. `one_line`: the places of columns whose values have no line ends, such as ids.
    """

    delimiter: str
    quoted: bool = True
    n_fields: int | None = None
    replaced: str | None = None
    one_line: frozenset[int] = frozenset()

    def forbids_line_ends(self, places: Positions) -> Flags:
        """Whether the columns at `places`, int64 (n,), have one line per value, or are none."""
        if not self.one_line:
            return np.zeros(len(places), np.bool_)
        beyond = places >= self.n_fields if self.n_fields is not None else np.zeros(len(places), np.bool_)
        return beyond | np.isin(places, np.fromiter(self.one_line, np.int64))
