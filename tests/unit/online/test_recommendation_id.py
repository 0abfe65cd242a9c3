"""Ids of lists: what they say, and what is refused."""

import re
import subprocess
import sys
import time
from itertools import product
from typing import get_args

import pytest

from recsys.errors import InvalidRequestError
from recsys.online.recommendation_id import LENGTH, ListKind, decode, new_id

VERSION = "v0123456789abcdef"


@pytest.mark.parametrize(("kind", "arm"), [*product(get_args(ListKind), (None, "control", "treatment"))])
@pytest.mark.parametrize("version", [VERSION, "vffffffffffffffff", "v0000000000000000"])
def test_an_id_says_what_it_was_made_of(kind, arm, version):
    before = time.time_ns() // 1_000_000
    made = new_id(kind, version, arm)
    found = decode(made)
    assert (found.version, found.arm, found.kind) == (version, arm, kind)
    assert before <= found.milliseconds <= time.time_ns() // 1_000_000
    assert re.fullmatch(rf"[A-Za-z0-9_-]{{{LENGTH}}}", made)


_FORKED = """
import os
from recsys.online.recommendation_id import new_id
first = new_id("recommendations", "v0123456789abcdef")
child = os.fork()
made = [new_id("recommendations", "v0123456789abcdef") for _ in range(100)]
if child:
    os.waitpid(child, 0)  # so that its line is whole before the next one
print(first, *made, flush=True)
"""


def test_no_two_are_equal_in_one_process_nor_in_forked_and_other_ones():
    made = [new_id("recommendations", VERSION) for _ in range(200_000)]
    for _ in range(2):
        ended = subprocess.run([sys.executable, "-c", _FORKED], capture_output=True, text=True, check=True)
        parent, child = ended.stdout.splitlines()
        made += {*parent.split()[:1]} | {*child.split()[:1]}
        made += [*parent.split()[1:], *child.split()[1:]]
    assert len(set(made)) == len(made) == 200_402


def test_any_changed_character_is_refused():
    made = new_id("candidates", VERSION, "treatment")
    for at, letter in enumerate(made):
        for other in ("A" if letter != "A" else "B", "_", "-"):
            if other != letter:
                with pytest.raises(InvalidRequestError, match="recommendation_id: expected"):
                    decode(made[:at] + other + made[at + 1 :])


@pytest.mark.parametrize("change", [lambda it: it[:-1], lambda it: it + "A", lambda it: it[1:] + it[0], lambda _: ""])
def test_cut_and_turned_ids_are_refused(change):
    with pytest.raises(InvalidRequestError, match="recommendation_id"):
        decode(change(new_id("recommendations", VERSION)))


@pytest.mark.parametrize("text", ["ü" * 36, "=" * 36, " " * 36, "\udc2f" * 36, "A" * 36])
def test_what_is_no_id_is_refused_without_being_repeated(text):
    with pytest.raises(InvalidRequestError) as refused:
        decode(text)
    assert text not in str(refused.value)
