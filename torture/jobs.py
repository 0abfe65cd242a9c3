"""A night of a campaign as a process of its own, with a fault: how it ended, and which of its processes go on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path


def job(
    module: str,
    fault: Sequence[str],
    place: Path,
    *,
    start: str,
    settings: Mapping[str, object],
    temporary: Path,
    longest: float,
    before: Callable[[], None] | None = None,
    **variables: str,
) -> tuple[int, str]:
    """Exit code and stderr of `recsys run` in the shop `place`, from the step `start` on, as `module` runs it.

    `before` is called in the process; `variables` are of its environment. Raises TimeoutExpired after `longest`
    seconds.
    """
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    ended = subprocess.run(
        [sys.executable, "-m", module, *fault, "run", str(place / "pipeline.toml"), "--from", start, *given],
        env={**os.environ, **variables, "TMPDIR": str(temporary)},
        preexec_fn=before,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=longest,
    )
    return ended.returncode, ended.stderr


def processes_of(place: Path) -> Iterator[int]:
    """Those of a job whose folder for temporary files is in `place`."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(place).encode() in path.read_bytes():
                yield int(path.parent.name)
        except OSError:
            continue


def fresh_copy(of: Path, place: Path) -> None:
    """`of` copied to `place`, in place of what was there."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(of, place, symlinks=True)
