"""The lines of text files that hold no row of their own, summed over all batches."""

import logging

from recsys.data.ingest.source import LineCounts

logger = logging.getLogger(__name__)

_FEW_LINES = 10
"""A row that spans more lines than this is probably several rows."""


class LineTally:
    """Sums the line counts of batches: `blank` lines, and line ends within quotes (`quoted`)."""

    def __init__(self) -> None:
        self.blank = 0
        self.quoted = 0
        self._longest = ("", 0, 0)
        self._in_quotes = ("", 0)

    def add(self, origin: str, lines: LineCounts) -> None:
        """Add the counts of the next batch; `origin` names its file."""
        self.blank += lines.blank
        self.quoted += lines.quoted
        if lines.longest is not None and lines.longest[1] > self._longest[2]:
            self._longest = (origin, *lines.longest)
        if lines.in_quotes:
            self._in_quotes = (self._in_quotes[0] or origin, self._in_quotes[1] + lines.in_quotes)

    def warn(self, section: str) -> None:
        """Warn, with file and line, if a row spans more than a few lines, and if values are in quotes.

        `section`: of the configuration, for the key that says how quotes are read.
        """
        if self._in_quotes[1]:
            logger.warning(
                "%s: %d values are in quotes, which are part of them in a tsv file; if they only enclose the values, "
                'set %s.quoting = "double"',
                *self._in_quotes,
                section,
            )
        origin, line, n_lines = self._longest
        if n_lines > _FEW_LINES:
            logger.warning(
                "%s:%d: the row that starts here spans %d lines, because one of its fields is in quotes; "
                "is a quote missing? (%d lines in all are within quotes)",
                origin,
                line,
                n_lines,
                self.quoted,
            )
