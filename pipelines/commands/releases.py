"""Releases of recsys, of Python, and of the libraries that decide what a model becomes."""

import platform
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("implicit", "faiss-cpu", "numpy", "scipy", "pandas", "pyarrow", "fastapi", "uvicorn")


def releases() -> str:
    """Two lines: recsys and Python, then the libraries."""
    return f"recsys {_release('recsys')}, Python {platform.python_version()}\n{libraries()}"


def libraries() -> str:
    """The libraries with their releases."""
    return ", ".join(f"{name} {_release(name)}" for name in LIBRARIES)


def _release(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
