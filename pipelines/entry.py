"""Where `recsys` and `python -m pipelines` begin: a command that trains runs as a child of this process, watched.

Imports next to nothing, because the parent of a job stays while it runs.
"""

import sys

WATCHED = frozenset(
    {"run", "prepare", "encode", "evaluate", "train", "index", "publish", "tune", "demo", "export", "doctor"}
)
"""The commands whose work is done by native libraries on data of any size."""

_HELP = {"-h", "--help"}


def main() -> None:
    """Run the command line of this process. Ends with SystemExit."""
    from pipelines.bounded.reports import adopt

    if not adopt() and sys.platform == "linux" and sys.argv[1:2] and _is_watched(sys.argv[1:]):
        from pipelines.bounded.watch import watch

        sys.exit(watch())
    from pipelines.cli import main as command_line

    command_line()


def _is_watched(arguments: list[str]) -> bool:
    return arguments[0] in WATCHED and not _HELP.intersection(arguments)
