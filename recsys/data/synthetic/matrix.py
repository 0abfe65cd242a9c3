"""A synthetic log as a matrix at once, for benchmarks that skip the file."""

import numpy as np

from recsys.data.matrix import Csr, csr_from_pairs
from recsys.data.synthetic.events import generate_events
from recsys.data.synthetic.world import World


def generate_matrix(world: World, n_events: int) -> Csr:
    """How many events each reader has with each item: canonical float32 CSR (n_users, n_items).

    Repeated pairs merge, so fewer entries than `n_events` are stored.
    """
    user = np.empty(n_events, np.int32)
    item = np.empty(n_events, np.int32)
    start = 0
    for chunk in generate_events(world, n_events):
        user[start : start + len(chunk)] = chunk.user_idx
        item[start : start + len(chunk)] = chunk.item_idx
        start += len(chunk)
    return csr_from_pairs(user, item, np.ones(n_events, np.float32), (len(world.tastes), len(world.catalogue)))
