"""Extras: what is installed only by those who use it, and how, in words."""


def install(extra: str) -> str:
    """What to do about a package of an `extra` that is missing, for the end of a message."""
    return f"install the extra `{extra}`: pip install --no-deps --require-hashes -r locks/{extra}.lock"
