"""Whether a structure that faiss has read can be searched: faiss follows its numbers into memory unchecked."""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.retrieval.families.faiss_structures import Native


def check_cells(native: Native) -> None:
    """Raise ValueError unless an inverted file has a centre per cell, and each item once in some cell."""
    centres = faiss.downcast_index(native.quantizer)
    if type(centres) not in (faiss.IndexFlatIP, faiss.IndexFlat):
        raise ValueError(f"centres in a {type(centres).__name__}, expected IndexFlatIP")
    found = (centres.d, centres.ntotal, centres.metric_type, native.invlists.nlist, native.metric_type)
    expected = (native.d, native.nlist, faiss.METRIC_INNER_PRODUCT, native.nlist, faiss.METRIC_INNER_PRODUCT)
    if found != expected or not native.is_trained:
        raise ValueError(f"dimension, cells, metrics {found}, expected {expected}")
    _check_vectors(centres)
    _check_each_once(_ids(native), native.ntotal)


def _ids(native: Native) -> NDArray[np.int64]:
    """int64 (n,): the items of all cells. Raises ValueError if these are not as many as there are."""
    sizes = [native.invlists.list_size(cell) for cell in range(native.nlist)]
    if sum(sizes) != native.ntotal:
        raise ValueError(f"{sum(sizes)} items in the cells, expected {native.ntotal}")
    parts = [
        faiss.rev_swig_ptr(native.invlists.get_ids(cell), size).copy() for cell, size in enumerate(sizes) if size
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _check_each_once(ids: NDArray[np.int64], n_items: int) -> None:
    if not np.array_equal(np.sort(ids), np.arange(n_items)):
        raise ValueError("the items of the cells are not every item once")


def check_graph(native: Native) -> None:
    """Raise ValueError unless every link of a graph leads to a node, and every node has its vector."""
    graph, vectors = native.hnsw, faiss.downcast_index(native.storage)
    n = native.ntotal
    if type(vectors) not in (faiss.IndexFlatL2, faiss.IndexFlat):
        raise ValueError(f"vectors in a {type(vectors).__name__}, expected IndexFlatL2")
    found = (vectors.d, vectors.ntotal, vectors.metric_type, native.metric_type, graph.levels.size())
    if found != (native.d, n, faiss.METRIC_L2, faiss.METRIC_L2, n) or graph.offsets.size() != n + 1:
        raise ValueError(f"dimension, nodes, metrics, levels {found}, expected ({native.d}, {n}, ...)")
    _check_vectors(vectors)
    levels, offsets, links = (_copied(each) for each in (graph.levels, graph.offsets, graph.neighbors))
    _check_links(graph, levels, offsets.astype(np.int64), links)


def _check_links(
    graph: Native, levels: NDArray[np.int32], offsets: NDArray[np.int64], links: NDArray[np.int32]
) -> None:
    n, widths = len(levels), _copied(graph.cum_nneighbor_per_level).astype(np.int64)
    if n == 0 or levels.min() < 1 or levels.max() > min(len(widths) - 1, graph.max_level + 1):
        raise ValueError("a node is at a level that the graph does not have")
    if widths[0] != 0 or (np.diff(widths) < 0).any() or offsets[0] != 0 or offsets[-1] != len(links):
        raise ValueError("the links of the nodes do not fit their number")
    if not np.array_equal(np.diff(offsets), widths[levels]):
        raise ValueError("a node has another number of links than its level")
    if links.min(initial=-1) < -1 or links.max(initial=-1) >= n:
        raise ValueError("a link leads to no node")
    if not (0 <= graph.entry_point < n and levels[graph.entry_point] == graph.max_level + 1):
        raise ValueError("the search begins at no node of the highest level")
    _check_levels_of_links(levels, offsets, widths, links)


def _check_levels_of_links(
    levels: NDArray[np.int32], offsets: NDArray[np.int64], widths: NDArray[np.int64], links: NDArray[np.int32]
) -> None:
    """A link of a level leads to a node that has the level too: its own links there are read next."""
    for level in range(1, int(levels.max())):
        for node in np.flatnonzero(levels > level).tolist():
            start = offsets[node]
            targets = links[start + widths[level] : start + widths[level + 1]]
            if (levels[targets[targets >= 0]] <= level).any():
                raise ValueError("a link leads to a node below its level")


def _check_vectors(flat: Native) -> None:
    vectors = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d) if flat.ntotal else np.zeros(0, np.float32)
    if not np.isfinite(vectors).all():
        raise ValueError("a vector holds NaN or infinity")


def _copied(vector: Native) -> NDArray[Any]:
    """A copy of one of faiss's vectors, whoever owns its memory."""
    copied: NDArray[Any] = faiss.rev_swig_ptr(vector.data(), vector.size()).copy()
    return copied
