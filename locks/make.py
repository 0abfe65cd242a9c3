"""Write a lock file per extra: what it adds to requirements.lock, with hashes. Needs uv; `make lock` runs it."""

import re
import subprocess
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
COMPILE = (
    "uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate "
    "--no-strip-extras --quiet pyproject.toml --constraint requirements-dev.lock"
)


def main() -> None:
    """Resolve every extra beside what the job and the tools have."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    job = pinned((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    for extra in project["optional-dependencies"]:
        command = [*COMPILE.split(), "--extra", extra]
        resolved = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        more = {name: lines for name, lines in pinned(resolved).items() if name not in job}
        (HERE / f"{extra}.lock").write_text("".join(more.values()), encoding="utf-8")


def pinned(lock: str) -> dict[str, str]:
    """The lines of each requirement of a lock file, by its name without extras."""
    found = re.findall(r"^[\w.\[\],-]+==.*(?:\n    .*)*\n", lock, re.MULTILINE)
    by_name: dict[str, str] = {}
    for lines in found:
        name = re.split(r"[\[=]", lines, maxsplit=1)[0]
        by_name[name] = by_name.get(name, "") + lines
    return by_name


if __name__ == "__main__":
    main()
