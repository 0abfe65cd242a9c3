"""A night on Spark as a process of its own, with a fault; one after it in this process; what must hold after each."""

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pipelines.steps.run import run
from pipelines.steps.workspace import steps_from
from recsys.artifacts.registry import Registry
from recsys.errors import RecsysError
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import Progress
from torture.jobs import job, processes_of

CONF = {
    "spark.driver.memory": "700m",
    "spark.executor.memory": "600m",
    "spark.default.parallelism": "2",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
}
QUICK_JAVA = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"}
"""Variables of processes: compiling Java well takes longer than such a night."""

SETTINGS = {
    "compute.engine": "spark",
    "compute.conf": CONF,
    "resources.memory_gib": 8,
    "resources.stall": "10m",
    "model.seed": 2,
}
"""Of every night on Spark."""

_JOB = "torture.spark_job"
_LONGEST, _ENDING_SECONDS = 900.0, 30.0
_PUBLISHED = 4
"""The exit code of a night that published, and could not export; a second line says how to do that again."""
_CODES = {
    "executor": (0,),
    "worker": (0,),
    "driver": (6, 0),
    "java": (2, 0, _PUBLISHED),
    "parent": (-9,),
    "iteration": (-9,),
}
"""How a night may end, by who was killed in it; 0 if the work was done by then."""
_OTHER_CODES = (0, 2, _PUBLISHED)

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8,}")
_TEMPORARY = ("spark-*", "blockmgr-*", "artifacts*", "recsys-job-*", "liblz4*")


def settings_of(place: Path, **more: object) -> PipelineConfig:
    """The settings of a night in this process."""
    return load_config(place / "pipeline.toml", overrides={**SETTINGS, **more})


def night(place: Path, who: str, moments: Mapping[str, int], *, start: str, **more: str) -> tuple[int, str]:
    """Exit code and stderr of a night from the step `start` on, of which `who` is killed at the `moments`.

    `more`: settings. The folder for temporary files is `place`.
    """
    when = ",".join(f"{step}={stages}" for step, stages in moments.items())
    settings, fault = {**_flat(SETTINGS), **more}, (who, when, str(place / "told"))
    return job(_JOB, fault, place, start=start, settings=settings, temporary=place, longest=_LONGEST, **QUICK_JAVA)


def _flat(settings: Mapping[str, object]) -> dict[str, str]:
    flat = dict[str, str]()
    for name, value in settings.items():
        each = {f"{name}.{key}": of for key, of in value.items()} if isinstance(value, dict) else {name: value}
        flat |= {key: f'"{of}"' if isinstance(of, str) else str(of) for key, of in each.items()}
    return flat


def killed(place: Path) -> list[str]:
    """A line per kill of the night."""
    told = place / "told"
    return told.read_text().splitlines() if told.exists() else []


def damage(prepared: Path, fault: str, at: float) -> None:
    """Damage a part file that prepare has written for the executors: that at the share `at` of all."""
    files = sorted(file for file in prepared.rglob("*.parquet") if file.is_file())
    file = files[int(at * len(files))]
    content = bytearray(file.read_bytes())
    if fault == "flipped":
        content[len(content) // 2] ^= 0xFF
    file.write_bytes(content if fault == "flipped" else content[: len(content) // 2])


@contextmanager
def small_disk(folder: Path, room: int) -> Iterator[None]:
    """While the block runs, `folder` is a disk with `room` bytes free. Raises OSError unless root may mount one."""
    folder.mkdir(exist_ok=True)
    size = -(-room // 4096) * 4096
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False, capture_output=True)


def wrong(place: Path, fault: str, before: str | None, code: int, err: str) -> Iterator[str]:
    """What is not as it should be after a night with a fault."""
    expected = _CODES.get(fault, _OTHER_CODES)
    if code not in expected:
        yield f"expected {expected}: {err[-1500:]}"
    if "\tat " in err or "Traceback" in err:
        yield f"a stack trace: {err[-1500:]}"
    last = ["", "", *err.strip().splitlines()][-2 if code == _PUBLISHED else -1]
    if code in (2, _PUBLISHED, 6) and not last.startswith("error: "):
        yield f"no message, but {last!r}"
    if fault == "java" and code in (2, _PUBLISHED) and "Java" not in last:
        yield f"Java is not named, but {last!r}"
    serves = Registry(place / "store").current()
    if code in (2, 6) and serves != before and "it was published before that" not in last:
        yield f"{serves} serves, {before} did"
    try:
        Registry(place / "store").load()
    except RecsysError as error:
        yield f"a torn version serves: {error}"
    yield from (f"process {process} goes on" for process in _lasting(place))
    yield from (f"it left {path.name}" for path in _temporary(place) if code != -9)


def next_night(place: Path, *, start: str, progress: Progress) -> str | None:
    """What is wrong with a night in the session that is open, from `start` on; None if nothing is."""
    config = settings_of(place)
    try:
        run(config, steps=steps_from(start, config), progress=progress)
    except RecsysError as error:
        return f"the next night ended with {type(error).__name__}: {error}"
    except Exception as error:  # of anything, which is a fault of the job
        return f"the next night ended with {error!r}"
    return None


def left(place: Path) -> Iterator[str]:
    """What a night should have removed."""
    folder = place / "work" / "spark"
    yield from (f"the next night left {path}" for path in (folder.iterdir() if folder.is_dir() else ()))
    yield from (f"the next night left {path}" for path in (place / "work").glob(".*.new"))
    yield from unfinished(place)
    lists = place / "out" / "lists.parquet"
    named = lists.readlink().name if lists.is_symlink() else None
    yield from (f"the next night left {path}" for path in lists.parent.glob(".lists.*") if path.name != named)
    if named is None:
        yield "the next night wrote no lists"


def unfinished(place: Path) -> Iterator[str]:
    """Files in what was made that a killed task began."""
    for folder in (place / "work" / "prepare", place / "work" / "train", place / "out" / "lists.parquet"):
        yield from (f"{path} is not whole" for path in folder.rglob(".*") if _UNFINISHED.fullmatch(path.name))


def other_vectors(place: Path, expected: Path) -> Iterator[str]:
    """Whether the vectors of train are not those of a run that nobody cut short."""
    for path in sorted((expected / "work" / "train").rglob("*.npy")):
        mine = place / path.relative_to(expected)
        if not mine.exists() or not np.allclose(np.load(mine), np.load(path), rtol=1e-4, atol=1e-5):
            yield f"{mine.name} is not that of a run that was not cut short"


def _temporary(place: Path) -> Iterator[Path]:
    for pattern in _TEMPORARY:
        yield from place.glob(pattern)


def _lasting(place: Path) -> list[int]:
    """Processes of the night that do not end by themselves in a few seconds, as Java does."""
    deadline = time.monotonic() + _ENDING_SECONDS
    while (found := [*processes_of(place)]) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found
