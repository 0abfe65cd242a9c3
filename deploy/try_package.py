"""Install the built wheel into an environment of its own, and use it from an empty folder. `make package` runs it.

The libraries are those of the environment that runs this; recsys itself is only the wheel.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATASETS = "share/recsys/datasets"


def main(wheel: Path) -> None:
    """Raise SystemExit if a file is missing in the wheel, or what is installed does not work."""
    if missing := tracked() - packed(wheel):
        sys.exit(f"{wheel.name}: lacks {', '.join(sorted(missing))}")
    with tempfile.TemporaryDirectory(prefix="recsys-package-") as folder:
        venv.create(Path(folder) / "venv")
        python = Path(folder) / "venv/bin/python"
        install = ["-m", "pip", "--disable-pip-version-check", "--quiet", "--python", str(python), "install"]
        subprocess.run([sys.executable, *install, "--no-deps", "--no-index", str(wheel)], check=True)
        work = Path(folder) / "work"
        work.mkdir()
        environ = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
        for program in ("recsys --version", "recsys fetch --help", "recsys demo", "python -m api --help"):
            print(f"$ {program}", flush=True)
            name, *arguments = program.split()
            subprocess.run(
                [python.parent / name, *arguments], cwd=work, env=environ, check=True, stdout=subprocess.DEVNULL
            )
        found = subprocess.run(
            [python, "-c", "import api, pipelines, recsys; print(api.__file__, pipelines.__file__, recsys.__file__)"],
            cwd=work, env=environ, check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
        if found.count(folder) != 3:
            sys.exit(f"not the installed package: {found}")
    print(f"{wheel.name}: {len(packed(wheel))} files, installed and used")


def tracked() -> set[str]:
    """Every file that the package should have, by its path in the wheel."""
    command = ["git", "ls-files", "api", "pipelines", "recsys", "datasets"]
    names = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")
    return {
        name.replace("datasets/", f"{DATASETS}/", 1) if name.startswith("datasets/") else name
        for name in names
        if name
    }


def packed(wheel: Path) -> set[str]:
    """The paths of a wheel; files beside the code without the folder that pip takes them from."""
    with zipfile.ZipFile(wheel) as archive:
        return {name.partition(".data/data/")[2] or name for name in archive.namelist()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
