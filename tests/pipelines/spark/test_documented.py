"""The example of docs/spark.md is run as it stands, in the session that is open."""

import re
from pathlib import Path

import pytest

from recsys.artifacts.registry import Registry

_DOCS = Path(__file__).parents[3] / "docs" / "spark.md"


def test_the_example_of_the_python_api_publishes(
    spark, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.findall(r"```python\n(.*?)```", _DOCS.read_text(), re.DOTALL)[0]
    shorter = shop.read_text("utf-8").replace("iterations = 3", 'iterations = 1\nstart = "random"')
    shop.write_text(f"{shorter}[publish]\nmust_beat_popular = false\n", encoding="utf-8")
    monkeypatch.chdir(shop.parent)
    exec(compile(example, "docs/spark.md", "exec"), {})
    version = capsys.readouterr().out.strip()
    assert version == Registry(shop.parent / "store").current()
    assert spark.range(3).count() == 3  # the session stays open
