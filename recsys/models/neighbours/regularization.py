"""Regularizations of EASE that are tried, and in which order."""

from collections.abc import Callable

VALUES = (20.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
"""What is tried."""

_FIRST = 2
_MOST_WORK = len(VALUES) * 10_000**3


def most_values(n_items: int) -> int:
    """How many values may be tried: each costs n_items^3 operations, as much as the fit itself."""
    return int(min(len(VALUES), _MOST_WORK // max(1, n_items) ** 3))


def climb(quality_of: Callable[[float], float], *, limit: int) -> dict[float, float]:
    """Values to their quality, from the third of VALUES on in the direction in which it rises, until it falls.

    The quality has one peak along the values. `limit`: of the values that are tried, at least 1.
    """
    tried = {VALUES[_FIRST]: quality_of(VALUES[_FIRST])}
    for step in (-1, 1):
        at = _FIRST
        while 0 <= at + step < len(VALUES) and len(tried) < limit:
            value = VALUES[at + step]
            tried[value] = quality_of(value)
            if tried[value] <= tried[VALUES[at]]:
                break
            at += step
        if at != _FIRST:
            break
    return tried
