"""What may be asked: the bounds of every question, in one place. Messages never repeat the input."""

from recsys.errors import InvalidRequestError

MAX_K = 1000
"""The longest list."""

MAX_ID_BYTES = 256
"""The longest id, in UTF-8."""


def check_k(k: int, name: str = "k") -> None:
    """Raise InvalidRequestError unless `k`, called `name` by who asks, is a whole number from 1 to MAX_K."""
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= MAX_K:
        raise InvalidRequestError(f"{name}: expected a whole number from 1 to {MAX_K}")


def check_id(external_id: str, name: str) -> None:
    """Raise InvalidRequestError unless `external_id` is 1 to MAX_ID_BYTES bytes of UTF-8; `name` says whose it is."""
    try:
        size = len(external_id.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise InvalidRequestError(f"{name}: holds a character that UTF-8 cannot encode") from error
    if not 1 <= size <= MAX_ID_BYTES:
        raise InvalidRequestError(f"{name}: {size} bytes of UTF-8; expected 1 to {MAX_ID_BYTES}")


def check_number(value: float, name: str, low: float, high: float) -> None:
    """Raise InvalidRequestError unless `value`, called `name` by who asks, is a number from `low` to `high`."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidRequestError(f"{name}: expected a number from {low:g} to {high:g}")
