import numpy as np
import pytest

from recsys.errors import ArtifactError, ModelError
from recsys.models.factors.embeddings import Embeddings


def _arrays(**changed):
    arrays = {
        "users": np.arange(6, dtype=np.float32).reshape(3, 2),
        "items": np.ones((4, 2), np.float32),
        "item_scale": np.array([1, 2, 0.5, 0], np.float32),
    }
    return arrays | changed


def test_items_are_scaled_for_scoring_only():
    embeddings = Embeddings(**_arrays())
    np.testing.assert_array_equal(embeddings.scoring_items, [[1, 1], [2, 2], [0.5, 0.5], [0, 0]])
    np.testing.assert_array_equal(embeddings.items, np.ones((4, 2)))
    assert embeddings.scoring_items.dtype == np.float32
    assert embeddings.factors == 2


def test_vectors_are_read_only():
    embeddings = Embeddings(**_arrays())
    for array in (embeddings.users, embeddings.items, embeddings.item_scale):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"users": np.zeros((3, 5), np.float32)}, r"users \(3, 5\) and items \(4, 2\) differ in dimension"),
        ({"users": np.zeros(3, np.float32)}, "differ in dimension"),
        ({"item_scale": np.ones(3, np.float32)}, r"item_scale \(3,\), expected \(4,\)"),
        ({"users": np.zeros((3, 2))}, "embeddings.users: float64"),
        (
            {"items": np.asfortranarray(np.ones((4, 2), np.float32))},
            "embeddings.items: float32, expected C-contiguous",
        ),
        ({"items": np.full((4, 2), np.nan, np.float32)}, "embeddings.items: holds NaN or infinity"),
        ({"item_scale": np.full(4, np.inf, np.float32)}, "embeddings.item_scale: holds NaN or infinity"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changed, message):
    with pytest.raises(ModelError, match=message):
        Embeddings(**_arrays(**changed))


def test_embeddings_survive_their_files(tmp_path):
    Embeddings(**_arrays()).save(tmp_path / "new" / "folder")
    again = Embeddings.load(tmp_path / "new" / "folder")
    for name, array in _arrays().items():
        np.testing.assert_array_equal(getattr(again, name), array)


@pytest.mark.parametrize("damage", ["missing", "cut short", "pickle", "other shape"])
def test_damaged_files_are_refused(tmp_path, damage):
    Embeddings(**_arrays()).save(tmp_path)
    path = tmp_path / "items.npy"
    if damage == "missing":
        path.unlink()
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "pickle":
        np.save(path, np.array([object()]), allow_pickle=True)
    else:
        np.save(path, np.ones((5, 2), np.float32))
    with pytest.raises(ArtifactError, match=r"items\.npy"):
        Embeddings.load(tmp_path)
