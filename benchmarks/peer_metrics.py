"""`peers.py --metrics`: how other libraries count the same lists and the same holdout."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from peer_models import PLACES, Lists

from recsys.data.matrix import Csr
from recsys.evaluation.metrics import Values

LIBRARIES = ("rectools", "ranx", "lenskit")
EQUAL = 1e-6
"""Means that differ by less are equal: some sum in other orders, or in float32."""


def print_metrics(
    lists: Lists, holdout: Csr, per_user: Mapping[str, Values], interpreters: Mapping[str, str], *, title: str
) -> None:
    """Markdown: our metrics of the lists, and those of every library that has an interpreter."""
    print(f"\n{title}\n\n| ours | | library | its metric | | |\n| :-- | --: | :-- | :-- | --: | :-- |")
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "lists.npy", lists)
        sp.save_npz(Path(folder) / "holdout.npz", holdout)
        found = {
            name: _measured(name, interpreters[name], Path(folder)) for name in LIBRARIES if name in interpreters
        }
    for metric in per_user:
        mine = float(per_user[metric].mean())
        for library, named in found.items():
            for theirs, value in named.get(metric.removesuffix(f"@{PLACES}"), ()):
                same = "equal" if abs(value - mine) < EQUAL else f"{value / mine - 1:+.1%}"
                print(f"| `{metric}` | {mine:.6f} | {library} | `{theirs}` | {value:.6f} | {same} |")


def _measured(library: str, python: str, folder: Path) -> dict[str, list[tuple[str, float]]]:
    program = Path(__file__).with_name("library_metrics.py")
    command = [python, str(program), library, str(folder / "lists.npy"), str(folder / "holdout.npz")]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(answer.stdout.splitlines()[-1])
