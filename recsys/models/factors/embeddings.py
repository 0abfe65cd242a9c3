"""Embeddings: the vectors a factor model learned."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.data.arrays import LARGEST, Floats, largest, read_only, save_array
from recsys.data.loading import damage_named, load_array
from recsys.data.matrix import Csr
from recsys.errors import ModelError


@dataclass(frozen=True, eq=False)
class Embeddings:
    """User and item vectors whose inner product predicts preference.

    `users`: float32 (n_users, d), without rows if they are not loaded. `items`: float32 (n_items, d), as the solver
    left them: fold-in and cosine use these.
    `item_scale`: float32 (n_items,), what each item's vector is multiplied by when recommendations are scored
    (popularity exponent); ones if nothing is scaled. All C-contiguous, finite, read-only.
    Raises ModelError if they are not.
    """

    users: Floats
    items: Floats
    item_scale: Floats

    def __post_init__(self) -> None:
        if self.users.ndim != 2 or self.items.ndim != 2 or self.users.shape[1] != self.items.shape[1]:
            raise ModelError(f"embeddings: users {self.users.shape} and items {self.items.shape} differ in dimension")
        if self.item_scale.shape != (len(self.items),):
            raise ModelError(f"embeddings: item_scale {self.item_scale.shape}, expected ({len(self.items)},)")
        for name in ("users", "items", "item_scale"):
            array = getattr(self, name)
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                raise ModelError(f"embeddings.{name}: {array.dtype}, expected C-contiguous float32")
            if not largest(array) <= LARGEST:
                raise ModelError(f"embeddings.{name}: holds NaN or infinity, or a number beyond {LARGEST:g}")
            object.__setattr__(self, name, read_only(array))

    @property
    def factors(self) -> int:
        """The dimension d."""
        return int(self.items.shape[1])

    @property
    def scoring_items(self) -> Floats:
        """float32 (n_items, d): the vectors that recommendation scores are inner products with."""
        return self.items * self.item_scale[:, None]

    def rotated(self, rotation: Floats) -> "Embeddings":
        """The same vectors in another basis: every inner product stays. `rotation`: float32 (d, d), orthogonal."""
        return Embeddings(self.users @ rotation, self.items @ rotation, self.item_scale)

    def save(self, folder: Path) -> None:
        """Write users.npy, items.npy and item_scale.npy into `folder`, which is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _ARRAYS:
            save_array(getattr(self, name), folder / f"{name}.npy")

    @staticmethod
    def load(folder: Path, *, users: bool = True) -> "Embeddings":
        """Map what `save` wrote. Raises ArtifactError if it is missing or damaged.

        `users`: without it their file is neither opened nor needed.
        """
        arrays = {name: load_array(folder / f"{name}.npy") for name in _ARRAYS if users or name != "users"}
        if not users:
            arrays["users"] = np.zeros((0, *arrays["items"].shape[1:]), np.float32)
        with damage_named(folder, "users.npy, items.npy and item_scale.npy"):
            return Embeddings(**arrays)


_ARRAYS = ("users", "items", "item_scale")


def popularity_scale(item_degree: Floats, exponent: float) -> Floats:
    """Float32 (n_items,): item_degree ** exponent, divided by its mean; a degree below 1 counts as 1."""
    raw = np.maximum(item_degree, 1).astype(np.float64) ** exponent
    scale: Floats = (raw / raw.mean()).astype(np.float32)
    return scale


def degrees_of_items(csr: Csr) -> Floats:
    """Float32 (n_items,): distinct users of each column of `csr`, canonical (n_users, n_items)."""
    return np.bincount(csr.indices, minlength=csr.shape[1]).astype(np.float32)
