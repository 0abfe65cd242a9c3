"""The campaign of nights on Spark: twenty numbers try every fault in every step, and what a night leaves is found.

The nights themselves take minutes: `make torture TORTURE_ARGS=spark`.
"""

from pathlib import Path

import pytest

from recsys.artifacts.registry import Registry
from torture.spark import STEPS_THERE, Case, Shop
from torture.spark_job import WHO
from torture.spark_nights import damage, left, wrong
from torture.versions import seal


def test_twenty_numbers_try_every_fault_in_every_step() -> None:
    cases = [Case.of(number) for number in range(20)]
    assert len({(case.fault, case.steps) for case in cases}) == 20
    for fault in ("driver", "java", "executor", "worker", "full"):
        assert {step for case in cases if case.fault == fault for step in case.steps} == set(STEPS_THERE)
    assert set(WHO) < {case.fault for case in cases}
    assert Case.of(7) == Case.of(7) != Case.of(27)


def test_a_moment_is_within_the_step() -> None:
    shop = Shop(Path(), {"prepare": 13, "evaluate": 32, "train": 20, "export": 1})
    for number in range(200):
        assert all(0 <= at < shop.stages[step] for step, at in shop.moments(Case.of(number)).items())


@pytest.mark.parametrize("fault", ["truncated", "flipped"])
def test_damage_changes_one_part_file(tmp_path: Path, fault: str) -> None:
    for name in "abc":
        (tmp_path / f"{name}.parquet").write_bytes(name.encode() * 100)
    damage(tmp_path, fault, 0.5)
    changed = [name for name in "abc" if (tmp_path / f"{name}.parquet").read_bytes() != name.encode() * 100]
    assert changed == ["b"]


@pytest.mark.parametrize(
    "path",
    ["work/spark/prepare-1f", "work/.train.new", "out/.lists.parquet.v1-2", "work/prepare/.part.npy.0123456789"],
)
def test_what_a_night_leaves_is_found(tmp_path: Path, path: str) -> None:
    (tmp_path / "out" / ".lists.parquet.v2-1").mkdir(parents=True)
    (tmp_path / "out" / "lists.parquet").symlink_to(".lists.parquet.v2-1")
    assert [*left(tmp_path)] == []
    (tmp_path / path).mkdir(parents=True)
    assert [found for found in left(tmp_path) if Path(path).name in found]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with a version that serves."""
    place = tmp_path_factory.mktemp("shop")
    version = seal(place / "store", seed=1, approximate=False)
    (place / "store" / "CURRENT").write_text(f"{version}\n")
    return place


_EXPORT_FAILED = "error: export: out/lists.parquet: {}\nto export again: `recsys run pipeline.toml --from export`\n"


@pytest.mark.parametrize(
    ("code", "err", "problem"),
    [
        (4, _EXPORT_FAILED.format("Spark failed: Java, in which the session runs, has ended"), None),
        (4, _EXPORT_FAILED.format("An error occurred while calling o935.getResult"), "Java is not named"),
        (4, "out/lists.parquet: Java has ended\n\n", "no message"),
        (2, "error: Java has ended\n", None),
        (2, "Exception\nTraceback (most recent call last):\nerror: Java has ended\n", "a stack trace"),
        (6, "error: Java has ended\n", "expected"),
    ],
)
def test_what_a_night_without_java_says_is_looked_at(shop: Path, code: int, err: str, problem: str | None) -> None:
    found = [*wrong(shop, "java", Registry(shop / "store").current(), code, err)]
    assert found == [] if problem is None else any(each.startswith(problem) for each in found)
