"""How much of a matrix a thread of the solver holds; apart from `blocks`, which imports numba."""

_ENTRIES, _SHARE = 2**16, 128


def block_entries(n_entries: int) -> int:
    """Entries of a block of rows or columns: 2^16, or 1/128 of a large matrix. One row may have more."""
    return max(_ENTRIES, n_entries // _SHARE)
