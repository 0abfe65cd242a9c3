"""Spans of a night: one per step, within that of the job."""

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pipelines.steps.run import run
from recsys import tracing
from recsys.pipeline_config import load_config
from recsys.progress import silent


def test_each_step_is_a_span_of_the_night(shop):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    try:
        run(load_config(shop), steps=("prepare",), progress=silent)
    finally:
        tracing.use(None)
    step, night = [span for span in exporter.get_finished_spans() if span.name in ("prepare", "night")]
    assert (step.name, night.name) == ("prepare", "night")
    assert step.parent.span_id == night.context.span_id
    assert [name for name in step.attributes if name.startswith("recsys.")]
