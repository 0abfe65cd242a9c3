"""Id coding: the ids in the rows of one partition as positions: users as they come, items among known ones."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.id_map import IdMap


class UserCoder:
    """Numbers users that come in order, from 0."""

    def __init__(self) -> None:
        self._parts = list[pa.Array]()
        self._n, self._last = 0, None

    def codes(self, ids: pa.Array) -> NDArray[np.int32]:
        """int32 (n,): of the next users, equal ones next to each other."""
        coded = ids.cast(pa.binary()).dictionary_encode()
        goes_on = self._n > 0 and len(ids) > 0 and coded.dictionary[0].as_py() == self._last
        codes: NDArray[np.int32] = coded.indices.to_numpy() + np.int32(self._n - goes_on)
        if len(ids):
            self._parts.append(coded.dictionary.slice(int(goes_on)))
            self._n += len(coded.dictionary) - int(goes_on)
            self._last = coded.dictionary[len(coded.dictionary) - 1].as_py()
        return codes

    def ids(self) -> IdMap:
        """All users."""
        return IdMap(pa.concat_arrays([pa.array([], pa.binary()), *self._parts]).cast(pa.string()))


def positions_among(ids: pa.Array, known: pa.StringArray) -> NDArray[np.int32]:
    """int32 (n,): the position of each id, all of which are known."""
    coded = ids.cast(pa.binary()).dictionary_encode()
    at = pc.index_in(coded.dictionary.cast(pa.string()), value_set=known).to_numpy()
    return at.astype(np.int32)[coded.indices.to_numpy()] if len(at) else np.zeros(0, np.int32)
