"""doctor: is everything installed, and does each compiled part do its work on this machine?"""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp

from recsys.config import IndexConfig, ModelConfig
from recsys.models.als import fit_als
from recsys.progress import silent
from recsys.retrieval.faiss_index import build_index

_LIBRARIES = ("implicit", "faiss-cpu", "numpy", "scipy", "pandas", "pyarrow", "fastapi", "uvicorn")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    fine: bool
    detail: str


def examine() -> tuple[Finding, ...]:
    """Look at Python, the libraries, the threads, and try each compiled part on a small case."""
    return (
        Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}"),
        Finding("libraries", True, ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)),
        Finding("threads", True, f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores are ours"),
        _try("training", _train),
        _try("search", _search),
    )


def _try(name: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, attempt())
    except Exception as error:  # the doctor reports whatever is wrong
        return Finding(name, False, f"{type(error).__name__}: {error}")


def _train() -> str:
    fit = fit_als(sp.eye(8, format="csr", dtype=np.float32), ModelConfig(factors=4, iterations=2), progress=silent)
    return f"ALS learned {fit.users.shape} and {fit.items.shape}"


def _search() -> str:
    vectors = np.eye(8, dtype=np.float32)
    indices, _ = build_index(vectors, IndexConfig(), progress=silent).search(vectors, 1).row(3)
    if indices.tolist() != [3]:
        raise ArithmeticError(f"the nearest vector to number 3 is {indices.tolist()}, expected itself")
    return "faiss finds each vector itself first"
