"""Confidence: how much an entry of the matrix counts in the fit, computed from its weight."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from pydantic import Field

from recsys.config import Section
from recsys.data.arrays import Floats, read_only, save_array
from recsys.data.loading import damage_named, load_array, load_json, number_in
from recsys.data.matrix import Csr, check_canonical, entries_per_column, scale_entries
from recsys.errors import DataError


class ConfidenceConfig(Section):
    """How counts become confidence; part of the section of a model that works with confidences."""

    weighting: Literal["degree", "log", "bm25", "plain"] = Field("degree", description="how counts become confidence")
    alpha: float = Field(10.0, gt=0, le=1_000_000, description="multiplies the confidence")
    user_degree_exponent: float = Field(0.2, ge=0, le=2, description="degree: divide by n_items_of_user ** this")
    item_degree_exponent: float = Field(0.5, ge=0, le=2, description="degree: divide by n_users_of_item ** this")
    bm25_k1: float = Field(100.0, gt=0, le=1_000_000_000, description="bm25: saturation of repeated events")
    bm25_b: float = Field(0.8, ge=0, le=1, description="bm25: how much a user's activity is normalised away")


@dataclass(frozen=True)
class ConfidenceSettings:
    """The numbers of a fitted weighting: from the configuration and from the training matrix.

    `kind`: "degree", "log", "bm25" or "plain". `scale`: brings the mean of degree-normalised values to 1.
    `n_users`, `mean_length`: rows of the training matrix, and the mean of their sums; only bm25 uses them.
    """

    kind: str
    alpha: float
    user_exponent: float
    item_exponent: float
    bm25_k1: float
    bm25_b: float
    scale: float
    n_users: int
    mean_length: float


@dataclass(frozen=True, eq=False)
class ConfidenceWeighting:
    """A weighting fitted to a training matrix, for any rows over the same items.

    A row's confidence depends on that row and on what was fitted, not on the other rows: a user who is folded in
    gets exactly the confidence that training would have used.
    `item_degree`: float32 (n_items,), distinct users of each item in training. Read-only.
    Raises DataError if the kind is unknown or `item_degree` has another dtype or shape.
    """

    settings: ConfidenceSettings
    item_degree: Floats

    def __post_init__(self) -> None:
        if self.settings.kind not in _FORMULAS:
            raise DataError(f"weighting: kind {self.settings.kind!r}, expected one of {', '.join(_FORMULAS)}")
        if self.item_degree.dtype != np.float32 or self.item_degree.ndim != 1:
            got = f"{self.item_degree.dtype} {self.item_degree.shape}"
            raise DataError(f"weighting: item_degree is {got}, expected float32 (n_items,)")
        object.__setattr__(self, "item_degree", read_only(self.item_degree))

    @cached_property
    def item_factor(self) -> Floats:
        """float32 (n_items,): deg_i ** -b of `degree_normalised`, cached because single rows are weighted often."""
        factor: Floats = np.maximum(self.item_degree, 1) ** np.float32(-self.settings.item_exponent)
        return factor

    def scaled_to(self, mean: float) -> "ConfidenceWeighting":
        """The same weighting with the scale at which values of this `mean` have the mean 1."""
        return replace(self, settings=replace(self.settings, scale=1.0 / mean))

    def apply(self, csr: Csr) -> Csr:
        """The confidence of `csr`: canonical float32 (n, n_items), any rows over the items of training.

        Returns a matrix with the same entries (it shares the index arrays), multiplied by alpha, every value finite
        and above zero.
        Raises DataError if the columns are not those of training, or a weight is too large for float32.
        """
        if csr.shape[1] != len(self.item_degree):
            raise DataError(f"weighting: {csr.shape[1]} columns, expected the {len(self.item_degree)} of training")
        with np.errstate(over="ignore", under="ignore"):
            values = _FORMULAS[self.settings.kind](csr, self)
        return self._confidence(csr, values)

    def row_terms(self, csr: Csr) -> Floats:
        """float32 (n,): what the confidence of an entry takes from its row; ones if nothing. `csr`: as in `apply`."""
        terms = {"degree": _user_factor, "bm25": _saturation}.get(self.settings.kind)
        return np.ones(csr.shape[0], np.float32) if terms is None else terms(csr, self)

    def apply_transposed(self, csr: Csr, row_terms: Floats, items: slice) -> Csr:
        """The confidence of some columns of the matrix that `apply` takes, up to the order of products.

        `csr`: canonical float32 (n, m), the `items` by their users. `row_terms`: float32 (m,), those of the users.
        """
        of_item, settings = np.diff(csr.indptr), self.settings
        terms = row_terms[csr.indices]
        with np.errstate(over="ignore", under="ignore"):
            if settings.kind == "bm25":
                values = csr.data * np.float32(settings.bm25_k1 + 1)
                values /= csr.data + terms
                values *= np.repeat(_idf(self)[items], of_item)
            else:
                values = csr.data.copy() if settings.kind == "plain" else np.log1p(csr.data)
            if settings.kind == "degree":
                values *= terms
                values *= np.repeat(self.item_factor[items], of_item)
                values *= np.float32(settings.scale)
        return self._confidence(csr, values)

    def _confidence(self, csr: Csr, values: Floats) -> Csr:
        with np.errstate(over="ignore", under="ignore"):
            values *= np.float32(self.settings.alpha)
        np.maximum(values, _SMALLEST, out=values)
        confidence = _with_values(csr, values)
        check_canonical(confidence)
        return confidence

    def save(self, folder: Path) -> None:
        """Write weighting.json and item_degree.npy into `folder`, which is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        save_array(self.item_degree, folder / _DEGREE_FILE)
        (folder / _SETTINGS_FILE).write_text(json.dumps(asdict(self.settings), indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> "ConfidenceWeighting":
        """Read what `save` wrote. Raises ArtifactError if it is missing or damaged."""
        settings, degree = load_json(folder / _SETTINGS_FILE), load_array(folder / _DEGREE_FILE)
        with damage_named(folder, f"{_SETTINGS_FILE} and {_DEGREE_FILE}"):
            for name in settings.keys() - {"kind"}:
                number_in(settings, name)
            return ConfidenceWeighting(ConfidenceSettings(**settings), degree)


def fit_confidence(csr: Csr, config: ConfidenceConfig) -> ConfidenceWeighting:
    """Fit the weighting of `config` to a training matrix.

    `csr`: canonical float32 (n_users, n_items), not modified. Raises DataError if it has no entries.
    """
    if csr.nnz == 0:
        raise DataError("weighting: the training matrix holds no entries")
    degree, n_users = entries_per_column(csr).astype(np.float32), csr.shape[0]
    mean_length = float(csr.data.mean(dtype=np.float64)) * csr.nnz / n_users
    unscaled = unscaled_confidence(config, degree, n_users=n_users, mean_length=mean_length)
    if config.weighting != "degree":
        return unscaled
    return unscaled.scaled_to(float(degree_normalised(csr, unscaled).mean(dtype=np.float64)))


def unscaled_confidence(
    config: ConfidenceConfig, item_degree: Floats, *, n_users: int, mean_length: float
) -> ConfidenceWeighting:
    """The weighting of `config`; that of the kind "degree" is then brought to a mean of 1 by `scaled_to`.

    `item_degree`: float32 (n_items,). `n_users`, `mean_length`: see `ConfidenceSettings`.
    """
    settings = ConfidenceSettings(
        kind=config.weighting,
        alpha=config.alpha,
        user_exponent=config.user_degree_exponent,
        item_exponent=config.item_degree_exponent,
        bm25_k1=config.bm25_k1,
        bm25_b=config.bm25_b,
        scale=1.0,
        n_users=n_users,
        mean_length=mean_length,
    )
    return ConfidenceWeighting(settings, item_degree)


def degree_normalised(csr: Csr, weighting: ConfidenceWeighting) -> Floats:
    """float32 (nnz,): scale * log(1 + r_ui) / (deg_u ** a * deg_i ** b).

    deg_u is the number of distinct items in the row, deg_i that of the item's users in training; a, b are
    `user_degree_exponent` and `item_degree_exponent`. With a = b = 1/2 this is the symmetric normalisation
    D^-1/2 R D^-1/2 of graph models: He et al., LightGCN (SIGIR 2020).
    """
    settings = weighting.settings
    values: Floats = np.log1p(csr.data)
    scale_entries(values, csr, rows=_user_factor(csr, weighting), columns=weighting.item_factor)
    values *= np.float32(settings.scale)
    return values


def logarithmic(csr: Csr, weighting: ConfidenceWeighting) -> Floats:
    """float32 (nnz,): log(1 + r_ui). Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback (2008)."""
    values: Floats = np.log1p(csr.data)
    return values


def bm25(csr: Csr, weighting: ConfidenceWeighting) -> Floats:
    """float32 (nnz,): idf_i * r_ui * (k1 + 1) / (r_ui + k1 * (1 - b + b * len_u / mean_len)).

    A user is the document and an item the term: len_u is the row's sum, and
    idf_i = log(1 + (n_users - deg_i + 0.5) / (deg_i + 0.5)), kept above zero by the 1 inside.
    Robertson, Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009).
    """
    values = csr.data * np.float32(weighting.settings.bm25_k1 + 1)
    values /= csr.data + np.repeat(_saturation(csr, weighting), np.diff(csr.indptr))
    values *= _idf(weighting)[csr.indices]
    return values


def plain(csr: Csr, weighting: ConfidenceWeighting) -> Floats:
    """float32 (nnz,): r_ui."""
    values: Floats = csr.data.copy()
    return values


def _user_factor(csr: Csr, weighting: ConfidenceWeighting) -> Floats:
    """float32 (n,): deg_u ** -a of `degree_normalised`."""
    degree = np.maximum(np.diff(csr.indptr), 1).astype(np.float32)
    factor: Floats = degree ** np.float32(-weighting.settings.user_exponent)
    return factor


def _saturation(csr: Csr, weighting: ConfidenceWeighting) -> Floats:
    """float32 (n,): k1 * (1 - b + b * len_u / mean_len) of `bm25`."""
    settings, length = weighting.settings, csr @ np.ones(csr.shape[1], np.float32)
    saturation = settings.bm25_k1 * (1 - settings.bm25_b + settings.bm25_b * length / settings.mean_length)
    return saturation.astype(np.float32)


def _idf(weighting: ConfidenceWeighting) -> Floats:
    """float32 (n_items,): idf_i of `bm25`."""
    degree = weighting.item_degree
    idf = np.log1p((weighting.settings.n_users - degree + 0.5) / (degree + 0.5))
    return idf.astype(np.float32)


def _with_values(csr: Csr, values: Floats) -> Csr:
    weighted = Csr((values, csr.indices, csr.indptr), shape=csr.shape)
    weighted.has_canonical_format = csr.has_canonical_format
    return weighted


_SMALLEST = np.finfo(np.float32).tiny
_SETTINGS_FILE, _DEGREE_FILE = "weighting.json", "item_degree.npy"

_FORMULAS: Mapping[str, Callable[[Csr, ConfidenceWeighting], Floats]] = MappingProxyType(
    {"degree": degree_normalised, "log": logarithmic, "bm25": bm25, "plain": plain}
)
