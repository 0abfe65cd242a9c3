"""A URL in three parts, which put together are the same text again."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)([^?#]*)(.*)", re.DOTALL)


@dataclass(frozen=True)
class UrlParts:
    """`head`: scheme, user and host. `rest`: query and fragment, with `?` or `#`."""

    head: str
    path: str
    rest: str

    @classmethod
    def of(cls, url: str) -> "UrlParts":
        """The parts of `url`, as `Address.resolved` gives it."""
        found = _PARTS.fullmatch(url)
        return cls("", url, "") if found is None else cls(*found.groups())

    @property
    def query(self) -> dict[str, str]:
        """The parameters; of one that is repeated, the last."""
        return dict(parse_qsl(self.rest.removeprefix("?"), keep_blank_values=True))

    def with_path(self, path: str) -> str:
        """The URL with another path."""
        return f"{self.head}{path}{self.rest}"

    def with_query(self, query: dict[str, str]) -> str:
        """The URL with another query."""
        return f"{self.head}{self.path}{'?' if query else ''}{urlencode(query)}"
