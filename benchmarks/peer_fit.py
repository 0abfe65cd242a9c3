"""One fit of a model of another library and its lists, in a process of its own; peers.py starts it.

    PYTHON benchmarks/peer_fit.py MODEL SETTINGS PART OUT

SETTINGS is JSON. PART is a folder that `Part.save` wrote: what is held out is not in it. OUT gets `lists.npy`, int32
(n_users, PLACES), and `figures.json`: processor seconds of the fit and of the lists, and the most memory that the
process had, in MiB, with the libraries that it imports.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from peer_grids import PEERS
from peer_models import Part


def main() -> None:
    """Fit, list, write."""
    name, settings, part, out = sys.argv[1:]
    data = Part.load(Path(part))
    started = time.process_time()
    make_lists = PEERS[name].fit(data, json.loads(settings))
    fitted = time.process_time()
    lists = make_lists()
    figures = {"fit_seconds": fitted - started, "list_seconds": time.process_time() - fitted, "mib": peak_mib()}
    np.save(Path(out) / "lists.npy", lists)
    (Path(out) / "figures.json").write_text(json.dumps(figures))


def peak_mib() -> float:
    """The high-water mark of this process, which starts anew with the program, unlike getrusage's."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


if __name__ == "__main__":
    main()
