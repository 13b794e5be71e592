"""A client span per call and its context in the metadata. opentelemetry-api only: without an SDK
installed by the app all of this does nothing."""

from __future__ import annotations

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from checkout_sdk._version import VERSION
from checkout_sdk.errors import CheckoutError


class CallSpan:
    """The span of one call, all its tries within. It is not made current: a stream's caller has
    spans of its own between two messages."""

    def __init__(self, rpc: str, request_id: str) -> None:
        self._span: Span = trace.get_tracer("checkout_sdk", VERSION).start_span(
            rpc,
            kind=SpanKind.CLIENT,
            attributes={
                "rpc.system.name": "grpc",
                "rpc.method": rpc,
                "checkout.request_id": request_id,
            },
        )

    def headers(self) -> dict[str, str]:
        """`traceparent` and what else the app's propagators add."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier, trace.set_span_in_context(self._span))
        return carrier

    def __enter__(self) -> CallSpan:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, CheckoutError):
            self._span.set_attribute("rpc.response.status_code", error.code or "")
            # The reason, a fixed word: an exception's text may name a field's value.
            self._span.set_attribute("error.type", error.reason or error.code or "")
            self._span.set_status(Status(StatusCode.ERROR))
        elif isinstance(error, Exception):
            self._span.set_attribute("error.type", type(error).__qualname__)
            self._span.set_status(Status(StatusCode.ERROR))
        elif error is None:
            self._span.set_attribute("rpc.response.status_code", "OK")
        self._span.end()
