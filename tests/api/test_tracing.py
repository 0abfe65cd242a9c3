"""Spans of requests: named by templates, continuing the caller's trace, without ids."""

import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from recsys import tracing

LIST = "/v1/users/bob/recommendations"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


@pytest.fixture
def spans():
    """Where the spans of a test are collected."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    yield exporter
    tracing.use(None)


def test_a_list_is_a_span_of_the_callers_trace_with_its_search_within(service, spans):
    service.get(LIST, headers=CALLED)
    found = {span.name: span for span in spans.get_finished_spans()}
    request = found["GET /v1/users/{user_id}/recommendations"]
    assert format(request.context.trace_id, "032x") == TRACE
    assert format(request.parent.span_id, "016x") == CALLER
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["recsys.model_version"].startswith("v")
    assert found["answer"].parent.span_id == request.context.span_id
    assert found["search"].parent.span_id == found["answer"].context.span_id


def test_events_are_folded_in_within_the_request(service, spans):
    service.send("POST", "/v1/recommendations", json={"events": [{"item_id": "dune"}]})
    names = [span.name for span in spans.get_finished_spans()]
    assert "fold_in" in names
    assert names[-1] == "POST /v1/recommendations"


@pytest.mark.parametrize(
    "path", [LIST, "/v1/users/bob/nowhere", "/v1/items/bob", f"{LIST}?k=0&bob=bob", "/bob", f"{LIST}?filter=bob"]
)
def test_no_span_holds_what_was_asked(service, spans, path):
    service.get(path)
    found = spans.get_finished_spans()
    assert found
    assert not [span.name for span in found if "bob" in span.to_json()]


def test_the_line_of_the_log_has_the_trace(service, spans, caplog):
    with caplog.at_level(logging.INFO, "api.access"):
        service.get(LIST, headers=CALLED)
    assert caplog.records[-1].getMessage().endswith(f"trace_id={TRACE}")


def test_without_spans_the_line_is_as_ever(service, caplog):
    with caplog.at_level(logging.INFO, "api.access"):
        service.get(LIST, headers=CALLED)
    assert "trace" not in caplog.records[-1].getMessage()


@pytest.mark.parametrize("wrong", ["", "00-zz", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 5000])
def test_a_broken_header_begins_a_trace_of_its_own(service, spans, wrong):
    assert service.get(LIST, headers={"traceparent": wrong}).status_code == 200
    (request,) = [span for span in spans.get_finished_spans() if span.name.startswith("GET")]
    assert request.parent is None
