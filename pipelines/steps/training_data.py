"""Training data: the matrix, and what else a version takes from the events of a log, weighed one way.

`prepare` writes it as the configuration weighs the events; `train` writes another, if `evaluate` chose a half-life.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.steps.exclusion import recounted
from pipelines.steps.summaries import EvaluateSummary, PrepareSummary, TrainSummary
from pipelines.steps.workspace import Workspace
from recsys.data.arrays import Floats, save_array
from recsys.data.cleaning import CleaningSummary, clean
from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.items import Items
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.data.popularity import current_popularity
from recsys.data.seen import save_seen, seen_items
from recsys.pipeline_config import PipelineConfig

POPULARITY = "popularity.npy"


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a model is trained on and a version is sealed with.

    `matrix`: of the trained users, over all `items`; `folded_in`: of those left out, over the same. `seen`,
    `folded_in_seen`: float32 CSR of the shapes of these, what lists leave out, None if that is the histories.
    `popularity`: float32 (n_items,). `cleaning`: what became of the events.
    """

    matrix: InteractionMatrix
    seen: Csr | None
    folded_in: InteractionMatrix
    folded_in_seen: Csr | None
    popularity: Floats
    items: Items
    cleaning: CleaningSummary

    def save(self, folder: Path) -> None:
        """Write everything but the summary into `folder`, which is made if missing."""
        self.matrix.save(folder / "matrix")
        save_seen(self.seen, folder)
        self.folded_in.save(folder / "folded_in")
        save_seen(self.folded_in_seen, folder / "folded_in")
        save_array(self.popularity, folder / POPULARITY)
        self.items.save(folder / "items.arrow")


def weigh_events(
    events: Interactions, config: PipelineConfig, *, newest: int | None, catalogue: Items | None
) -> TrainingData:
    """Clean and weigh the events as `config` says. Raises as `clean` and `seen_items` do.

    `newest`: UTC seconds at which decay starts, None without times. `catalogue`: its items are columns too.
    """
    weights = EventWeights.of(config.log, config.prepare).at(newest)
    cleaned = clean(events, config.prepare, weights=weights)
    items = Items.without_attributes(cleaned.matrix.items) if catalogue is None else catalogue
    matrix, folded_in = (each.with_items(items.ids) for each in (cleaned.matrix, cleaned.folded_in))
    return TrainingData(
        matrix=matrix,
        seen=seen_items(events, matrix, weights=weights),
        folded_in=folded_in,
        folded_in_seen=seen_items(events, folded_in, weights=weights),
        popularity=current_popularity(events, (matrix, folded_in), config.prepare, now=newest),
        items=items.aligned(matrix.items),
        cleaning=cleaned.summary,
    )


def weigh_anew(config: PipelineConfig, prepared: Path, before: PrepareSummary) -> TrainingData:
    """The data of the events in `prepared`, the folder of prepare, as `config` weighs them now.

    `before`: the summary of prepare, which counts the events of excluded items too.
    """
    items = Items.load(prepared / "items.arrow", InteractionMatrix.load(prepared / "matrix").items)
    catalogue = None if config.items is None else items
    events = Interactions.load(prepared / "events")
    data = weigh_events(events, config, newest=before.newest_event, catalogue=catalogue)
    return replace(data, cleaning=recounted(data.cleaning, first=before.cleaning))


def weighed_anew(workspace: Workspace) -> bool:
    """Whether `evaluate` chose a half-life, so that the training data is not that of `prepare`."""
    choice = workspace.summary(EvaluateSummary).choice
    return choice is not None and choice.half_life_days is not None


def training_folder(workspace: Workspace) -> Path:
    """The folder of the training data that `train` used."""
    return workspace.folder("train") / "data" if weighed_anew(workspace) else workspace.folder("prepare")


def cleaning_of(workspace: Workspace) -> CleaningSummary:
    """What became of the events in the training data."""
    trained = workspace.summary(TrainSummary).cleaning
    return workspace.summary(PrepareSummary).cleaning if trained is None else trained
