"""encode: the vectors of `[[content]]`, of every item of the matrix and the catalogue."""

import logging

from pipelines.steps.content_files import fingerprint_key, save_file_states
from pipelines.steps.kept_vectors import load_vectors, save_vectors
from pipelines.steps.summaries import EncodeSummary
from pipelines.steps.workspace import ENCODE, Workspace
from recsys.content.config import EncoderConfig
from recsys.content.encoding import SourceVectors, encode_source
from recsys.content.fingerprint import encoder_fingerprint
from recsys.content.registry import kind_of_encoder
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.evaluation.content_sources import ContentSourceSummary
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress

log = logging.getLogger(__name__)


def encode(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> EncodeSummary:
    """Write the space of all sources that do not learn from histories; what the last run made is used again.

    The others are fitted by `content_space` on what evaluate and train may see.
    """
    items = prepared_items(config, workspace)
    earlier = load_vectors(workspace.folder(ENCODE))
    with workspace.output(ENCODE, config) as output:
        save_file_states(config, output.folder)
        made, told = list[SourceVectors](), list[ContentSourceSummary]()
        for source in config.content_sources:
            fingerprint = encoder_fingerprint(source)
            output.inputs[fingerprint_key(source.source_name)] = fingerprint
            if kind_of_encoder(source).learns_from_histories(source):
                told.append(_of_histories(source))
                continue
            before = earlier.get(source.source_name)
            made.append(encode_source(items, source, fingerprint=fingerprint, earlier=before, progress=progress))
            told.append(_told(made[-1]))
        if made:
            save_vectors(made, output.folder)
        output.summary = EncodeSummary(n_items=len(items.ids), sources=tuple(told))
        for warning in output.summary.warnings():
            log.warning("%s", warning)
    return output.summary


def prepared_items(config: PipelineConfig, workspace: Workspace) -> Items:
    """The items of prepare, those that only the catalogue has among them. Raises DataError if it has not run."""
    prepared = workspace.require("prepare", config)
    return Items.load(prepared / "items.arrow", IdMap.load(prepared / "matrix" / "items.arrow"))


def _told(made: SourceVectors) -> ContentSourceSummary:
    source = made.source
    return ContentSourceSummary(
        name=source.name,
        encoder=source.encoder,
        columns=source.columns,
        n_items=len(source.vectors),
        n_known=int(source.vectors.any(axis=1).sum()),
        dimension=source.vectors.shape[1],
        n_reused=made.n_reused,
        problems=dict(made.problems.counts),
        first=dict(made.problems.first),
    )


def _of_histories(source: EncoderConfig) -> ContentSourceSummary:
    return ContentSourceSummary(name=source.source_name, encoder=source.encoder, from_histories=True)
