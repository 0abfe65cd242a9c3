"""The space of a night's item vectors: its map, and what it means."""

from dataclasses import dataclass

from pipelines.steps.training_data import training_folder
from pipelines.steps.workspace import Workspace
from recsys.data.arrays import Floats
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.models.registry import load_model
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.space.item_map import made_by, make_map
from recsys.space.map_view import MapView
from recsys.space.reading import SpaceReading, read_with_map


@dataclass(frozen=True, eq=False)
class NightSpace:
    """`places`: float32 (n_items, 2), the map that a version keeps. `shown`: what the report draws of it.

    Both are None if `publish.map` is "none".
    """

    places: Floats | None
    reading: SpaceReading
    shown: MapView | None


def night_space(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> NightSpace:
    """Read the vectors that train left. Raises ConfigError if the map needs a package that is missing."""
    data, model = training_folder(workspace), load_model(workspace.folder("train") / "model")
    items = Items.load(data / "items.arrow", IdMap.load(data / "matrix" / "items.arrow"))
    vectors, publish = model.embeddings.items, config.publish
    progress("space", 0, 2)
    places = make_map(
        vectors, model.item_degree, method=publish.map, most=publish.map_items, seed=1, progress=progress
    )
    progress("space", 1, 2)
    told = made_by(publish.map, int(vectors.any(axis=1).sum()), publish.map_items)
    reading, shown = read_with_map(items, vectors, model.item_degree, places, made_by=told)
    progress("space", 2, 2)
    return NightSpace(places, reading, shown)
