from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsys.engine.item_map import ItemMap
from recsys.errors import InvalidRequestError


def test_a_version_without_a_map_says_so(small: Any) -> None:
    page = ItemMap(replace(small, map=None)).page(limit=5, offset=0, fields=())
    assert (page.items, page.n_items) == ((), 0)
    assert "publish.map" in page.warnings[0]


def test_items_without_a_place_are_not_listed(small: Any) -> None:
    places = np.full((len(small.items.ids), 2), np.nan, np.float32)
    places[1] = 0.25, -0.5
    page = ItemMap(replace(small, map=places)).page(limit=5, offset=0, fields=())
    [place] = page.items
    assert (place.item_id, place.x, place.y) == (small.items.ids.id_at(1), 0.25, -0.5)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"offset": -1}, {"limit": True}, {"fields": ("nope",)}])
def test_what_is_no_page_is_refused(small: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        ItemMap(small).page(**{"limit": 5, "offset": 0, "fields": ()} | wrong)
