"""Titles found as somebody types, among a million made-up titles: time to make the index, and time per question.

    python benchmarks/title_search.py [--titles 1000000]

Words are drawn from a made-up vocabulary by a power law, as words of real titles are.
"""

import argparse
import resource
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pyarrow as pa

from recsys.retrieval.titles.index import TitleIndex

LETTERS = np.array(list("eeeeaaaiiooutnrshldcmpgbfwvkyzjq"))
QUESTIONS = 200


def _titles(n: int, rng: np.random.Generator) -> list[str]:
    words = ["".join(rng.choice(LETTERS, rng.integers(2, 11))) for _ in range(n // 5)]
    share = 1 / np.arange(1, len(words) + 1) ** 0.9
    lengths = rng.integers(1, 8, n)
    drawn = iter(rng.choice(len(words), lengths.sum(), p=share / share.sum()).tolist())
    return [" ".join(words[next(drawn)] for _ in range(length)) for length in lengths.tolist()]


def _misspelt(word: str, rng: np.random.Generator) -> str:
    if len(word) < 4:
        return word
    at = int(rng.integers(len(word) - 1))
    ways = (
        word[:at] + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + "x" + word[at + 1 :],
        word[:at] + "x" + word[at:],
    )
    return ways[int(rng.integers(4))]


def main() -> None:
    """Print a table of times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--titles", type=int, default=1_000_000)
    n, rng = parser.parse_args().titles, np.random.default_rng(1)
    titles = _titles(n, rng)
    column, before = pa.array(titles), _resident()
    started = perf_counter()
    index = TitleIndex.of(column, rng.zipf(1.5, n).astype(np.float32))
    index.find("warm up", 10, near=True)
    print(f"{n:,} titles, {len(index.vocabulary.words):,} words: index made in {perf_counter() - started:.1f} s,")
    print(f"peak of memory {_resident() - before:.0f} MB above what there was before")
    kinds: dict[str, tuple[Callable[[str], str], bool]] = {
        "first letter": (lambda title: title[0], False),
        "three letters": (lambda title: title[:3], False),
        "beginnings of two words": (lambda title: " ".join(word[:3] for word in title.split()[:2]), False),
        "whole title": (lambda title: title, False),
        "every word misspelt": (lambda title: " ".join(_misspelt(word, rng) for word in title.split()), True),
    }
    print("| typed | median ms | 95th percentile | slowest | the title is among the first ten |")
    print("|---|---|---|---|---|")
    for kind, (typed, near) in kinds.items():
        seconds, hits = [], 0
        for at in rng.integers(n, size=QUESTIONS).tolist():
            text = typed(titles[at])
            started = perf_counter()
            found = index.find(text, 10, near=near)
            seconds.append(perf_counter() - started)
            hits += at in found
        ms = 1000 * np.percentile(seconds, [50, 95, 100])
        print(f"| {kind} | {ms[0]:.1f} | {ms[1]:.1f} | {ms[2]:.1f} | {hits / QUESTIONS:.0%} |")


def _resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
