"""Mutated bundles: files of a version are damaged, half of them with every hash made right again, and loaded.

A load may refuse, with an ArtifactError. It must not end the process, hang, raise anything else, or give a list
with an item that is unknown, repeated or seen, or a score that is not finite or out of order. Cases run in a child
process, so that a signal is seen; `python -m torture.mutations STORE FIRST LAST` is that child.
"""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recsys.artifacts.bundle import VERSIONS, load_bundle
from recsys.artifacts.files import list_files
from recsys.engine import Engine
from recsys.engine.rehearsal import rehearse
from recsys.errors import ArtifactError
from torture.scratch import scratch
from torture.versions import change, seal

_SECONDS_PER_CASE = 60.0
_EXTREMES = (0, 1, -1, 2**31 - 1, -(2**31), 2**20)


@dataclass
class Found:
    """What became of the cases: counts by outcome, and the cases that failed with the reason."""

    counts: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, outcome: str) -> None:
        """Count one."""
        self.counts[outcome] = self.counts.get(outcome, 0) + 1


def campaign(n_cases: int, *, first: int = 0) -> Found:
    """Try the cases `first` to `first` + `n_cases`; each is made from its number alone."""
    found, at, last = Found(), first, first + n_cases
    with scratch("mutations") as folder:
        store = Path(folder)
        seal(store)
        while at < last:
            at = _run_child(store, at, last, found)
    return found


def _run_child(store: Path, first: int, last: int, found: Found) -> int:
    """Run cases in a child until it ends; returns the case to go on with."""
    command = [sys.executable, "-m", "torture.mutations", str(store), str(first), str(last)]
    at = first
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        for line in _lines(child):
            case, _, outcome = line.partition(" ")
            at = int(case) + 1
            found.add(outcome.split(":")[0])
            if not outcome.startswith(("refused", "accepted")):
                found.failures.append(f"case {case}: {outcome}")
    if at < last:
        found.add("signal or hang")
        found.failures.append(f"case {at}: the process ended with {child.returncode}")
        at += 1
    return at


def _lines(child: "subprocess.Popen[str]") -> Iterator[str]:
    assert child.stdout is not None
    yield from (line.strip() for line in child.stdout)


def main(store: Path, first: int, last: int) -> None:
    """Try the cases one after another; a line for each."""
    import faulthandler  # noqa: PLC0415

    (version,) = (path.name for path in (store / VERSIONS).iterdir() if path.name.startswith("v"))
    for case in range(first, last):
        faulthandler.dump_traceback_later(_SECONDS_PER_CASE, exit=True)
        print(case, _outcome(store, version, case), flush=True)
    faulthandler.cancel_dump_traceback_later()


def _outcome(store: Path, version: str, case: int) -> str:
    rng = random.Random(case)
    rehash = case % 2 == 0
    place = store / f"case-{case}"
    try:
        shutil.copytree(store / VERSIONS / version, place / VERSIONS / version)
        name = change(place, version, lambda folder: _mutate(folder, rng), rehash=rehash)
        return _loaded(place / VERSIONS / name)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _mutate(folder: Path, rng: random.Random) -> None:
    """Damage one file, or two."""
    for _ in range(rng.choice((1, 1, 1, 2))):
        path = folder / rng.choice([name for name in list_files(folder) if not name.startswith("manifest")])
        content = path.read_bytes()
        path.write_bytes(mutated(content, rng, is_text=path.suffix == ".json"))


def mutated(content: bytes, rng: random.Random, *, is_text: bool) -> bytes:
    """`content` with one damage; never the same."""
    for _ in range(100):
        kinds = (_flip, _number, _number, _cut, _grow, _zero, _repeat, *((_token,) * 4 if is_text else ()))
        changed = rng.choice(kinds)(bytearray(content), rng)
        if changed != content:
            return changed
    return content + b"\0"


def _at(content: bytearray, rng: random.Random) -> int:
    """Half of the places are near the beginning or the end, where headers and footers are."""
    n = max(1, len(content))
    return rng.choice((rng.randrange(n), min(rng.randrange(512), n - 1), max(0, n - 1 - rng.randrange(512))))


def _flip(content: bytearray, rng: random.Random) -> bytes:
    if content:
        content[_at(content, rng)] ^= 1 << rng.randrange(8)
    return bytes(content)


def _number(content: bytearray, rng: random.Random) -> bytes:
    size = rng.choice((4, 8))
    at = _at(content, rng) // 4 * 4
    content[at : at + size] = (rng.choice(_EXTREMES) % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(content)


def _cut(content: bytearray, rng: random.Random) -> bytes:
    return bytes(content[: _at(content, rng)])


def _grow(content: bytearray, rng: random.Random) -> bytes:
    return bytes(content) + rng.randbytes(rng.choice((1, 8, 100)))


def _zero(content: bytearray, rng: random.Random) -> bytes:
    at, size = _at(content, rng), rng.choice((8, 64, 1024))
    return bytes(content[:at]) + bytes(min(size, len(content) - at)) + bytes(content[at + size :])


def _repeat(content: bytearray, rng: random.Random) -> bytes:
    at, to, size = _at(content, rng), _at(content, rng), rng.choice((4, 16, 256))
    content[to : to + size] = content[at : at + size]
    return bytes(content)


def _token(content: bytearray, rng: random.Random) -> bytes:
    odd = (b'"x"', b"NaN", b"1e999", b"-1", b"null", b"[" * 3000, b"{}", b"true", b"99999999999999999999", b"0")
    parts = content.decode("utf-8", "replace").split(",")
    parts[rng.randrange(len(parts))] = rng.choice(odd).decode()
    return ",".join(parts).encode()


def _loaded(folder: Path) -> str:
    try:
        engine = Engine(load_bundle(folder))
        rehearse(engine)
    except ArtifactError as error:
        return f"refused: {str(error)[:80]!r}"
    except Exception as error:
        return f"error {type(error).__name__}: {str(error)[:200]!r}"
    try:
        return f"wrong list: {fault}" if (fault := _fault(engine)) else "accepted"
    except Exception as error:
        return f"error when asked {type(error).__name__}: {str(error)[:200]!r}"


def _fault(engine: Engine) -> str | None:
    """What is wrong with somebody's list; None if nothing is."""
    known = set(engine.item_ids.ids.to_pylist())
    for user_ids, found in engine.iter_all(20):
        for user_id, (items, scores) in zip(user_ids, found.rows(), strict=True):
            ids = engine.item_ids.decode(items.tolist())
            if len(set(ids)) != len(ids) or not known.issuperset(ids):
                return f"{user_id}: an item twice, or unknown"
            if not np.isfinite(scores).all() or (np.diff(scores) > 0).any():
                return f"{user_id}: scores not finite, or out of order"
            seen = {item.item_id for item in engine.history(user_id, limit=1000)}
            if seen & set(ids):
                return f"{user_id}: a seen item"
    json.dumps([engine.item(item_id).item_id for item_id in sorted(known)])
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
