"""Where spans go, by OpenTelemetry's SDK: the extra `traces`. Imported only if spans are exported."""

import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter


def export(service: str, exporter: str) -> None:
    """Set the tracer provider of the process, unless it has one. Spans are sent in the background, by `exporter`:
    `otlp`, over HTTP to where the variables of OpenTelemetry say, or `console`, as JSON to standard error."""
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    sent = OTLPSpanExporter() if exporter == "otlp" else ConsoleSpanExporter(out=sys.stderr)
    provider.add_span_processor(BatchSpanProcessor(sent))
    trace.set_tracer_provider(provider)


def finish() -> None:
    """Send what has not been sent. Waits for it as long as `OTEL_BSP_EXPORT_TIMEOUT` says, 30 s if it does not."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.shutdown()
