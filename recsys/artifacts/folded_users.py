"""FoldedUsers: the histories of users whom training left out; their vectors are folded in per request."""

from dataclasses import dataclass
from pathlib import Path

from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, load_csr, save_csr

_USERS, _HISTORY, _SEEN = "users.arrow", "history", "left_out"


@dataclass(frozen=True, eq=False)
class FoldedUsers:
    """Users without a trained vector.

    `users`: the rows, none of them a trained user. `history`, `seen`: canonical float32 CSR (n, n_items), as those of
    `Contents`.
    """

    users: IdMap
    history: Csr
    seen: Csr | None = None

    @property
    def left_out(self) -> Csr:
        """The items that lists leave out: `seen`, or else the histories."""
        return self.history if self.seen is None else self.seen

    def save(self, folder: Path) -> None:
        """Write the ids and the rows into `folder`, which is made if missing. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.users.save(folder / _USERS)
        save_csr(self.history, folder / _HISTORY)
        if self.seen is not None:
            save_csr(self.seen, folder / _SEEN)

    @staticmethod
    def load(folder: Path, n_items: int) -> "FoldedUsers":
        """Map what `save` wrote, over `n_items` items. Raises ArtifactError if a file is missing or damaged."""
        users = IdMap.load(folder / _USERS)
        shape = (len(users), n_items)
        seen_apart = (folder / f"{_SEEN}.indptr.npy").exists()
        seen = load_csr(folder / _SEEN, shape) if seen_apart else None
        return FoldedUsers(users, load_csr(folder / _HISTORY, shape), seen)
