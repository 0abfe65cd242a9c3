"""Did you mean: the nearest known name to one that is unknown."""

import difflib
from collections.abc import Iterable


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, whatever the case of either; None if none is similar."""
    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[close[0]] if close else None


def unknown_key_hint(key: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown key: "; did you mean ...?", or all that are known."""
    nearest = nearest_name(key, known := list(known))
    return f"; did you mean {nearest!r}?" if nearest else f"; known here: {', '.join(known)}"
