"""What is watched by `torture.syscalls`: publishes, rolls back or prunes in the store that it is given, and ends."""

import sys
from pathlib import Path

from recsys.artifacts.bundle import VERSIONS, seal_bundle
from recsys.artifacts.pruning import prune
from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError
from torture.versions import contents, facts

ACTIONS = ("publish", "rollback", "prune")


def main(action: str, store: Path) -> int:
    """Do `action`; 3 if it was refused with an ArtifactError."""
    made = contents(False) if action == "publish" else None
    (store / "BEGIN").touch()  # from here on the system calls are those of the action
    try:
        if made is not None:
            Registry(store).publish(seal_bundle(store, made, facts(9)).version)
        elif action == "rollback":
            Registry(store).rollback()
        else:
            prune(Registry(store), 1)
    except ArtifactError as error:
        print(error, file=sys.stderr)
        return 3
    return 0 if (store / VERSIONS).is_dir() else 4


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
