"""`recsys scenarios check`."""

from pathlib import Path
from typing import Any


def test_it_lists_the_pages_or_says_what_is_wrong(recsys: Any, tmp_path: Path) -> None:
    asked = ("scenarios", "check", "--store", tmp_path)
    missing = recsys(*asked)
    assert (missing.returncode, "no such file" in missing.stderr) == (2, True)
    path = tmp_path / "scenarios.toml"
    path.write_text('[scenarios.home]\nrows = [{kind = "for_you"}, {kind = "popular", k = 3}]\n')
    assert (recsys(*asked).returncode, recsys(*asked).stdout) == (0, "home: for_you, popular\n")
    path.write_text('[scenarios.home]\nrows = [{kind = "for_yuo"}]\n')
    wrong = recsys(*asked)
    assert wrong.returncode == 2
    assert "scenarios.home.rows.0.kind: got 'for_yuo'; expected 'for_you'" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1
