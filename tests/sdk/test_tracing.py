from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from checkout_sdk import Unavailable
from checkout_sdk._pb import order_pb2
from tests.sdk.scripted import Fail

ORDER = order_pb2.GetOrderResponse(order=order_pb2.Order(order_id="ord_1"))


@pytest.fixture
def spans(monkeypatch):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


async def test_a_call_is_one_span_that_the_server_can_join(scripted_checkout, server, spans):
    server.script["GetOrder"] = [Fail("UNAVAILABLE"), ORDER]

    await scripted_checkout.for_buyer("u_1").orders.get("ord_1")

    (span,) = spans.get_finished_spans()
    trace_id = format(span.context.trace_id, "032x")
    assert span.name == "OrderService/GetOrder"
    assert span.attributes["rpc.response.status_code"] == "OK"
    assert all(trace_id in each.metadata["traceparent"] for each in server.seen["GetOrder"])


async def test_a_failed_call_is_a_failed_span_without_texts(scripted_checkout, server, spans):
    server.script["GetOrder"] = [Fail("UNAVAILABLE", "SHUTTING_DOWN")]

    with pytest.raises(Unavailable):
        await scripted_checkout.for_buyer("u_1").orders.get("ord_1", max_retries=0)

    (span,) = spans.get_finished_spans()
    assert span.attributes["rpc.response.status_code"] == "UNAVAILABLE"
    assert span.attributes["error.type"] == "SHUTTING_DOWN"
    assert span.events == ()
