"""What leaves us when a call fails: a status, a fixed text and google.rpc details.

Exceptions carry what callers must not see (a DSN, a row of another buyer), so what is not a
`Fault` is told by its kind alone and never by its own text.
"""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # has no stubs

from checkout_server.database import StorageFull, StorageUnavailable
from checkout_server.faults import Fault

DOMAIN = "checkout.onetap.dev"
# A database comes back from a failover within seconds; a disk does not empty itself that fast.
STORAGE_RETRY_MS = 1_000
STORAGE_FULL_RETRY_MS = 10_000
NEIGHBOUR_RETRY_MS = 500

Metadata = tuple[tuple[str, str | bytes], ...]


class Refusal(Exception):
    """A failed call as its caller sees it, over gRPC or in this process."""

    def __init__(self, code: grpc.StatusCode, text: str, trailing: Metadata) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.trailing = trailing


def fault_of(error: BaseException) -> Fault:
    """What an exception out of a handler means to the caller."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, StorageFull):
        return Fault("STORAGE_UNAVAILABLE", retry_after_ms=STORAGE_FULL_RETRY_MS)
    if isinstance(error, StorageUnavailable):
        return Fault("STORAGE_UNAVAILABLE", retry_after_ms=STORAGE_RETRY_MS)
    if isinstance(error, grpc.aio.AioRpcError):
        return Fault("NEIGHBOUR_UNAVAILABLE", retry_after_ms=NEIGHBOUR_RETRY_MS)
    return Fault("INTERNAL")


def refusal(fault: Fault, request_id: str) -> Refusal:
    status = status_pb2.Status(code=fault.code.value[0], message=fault.text)
    for detail in _details(fault, request_id):
        status.details.add().Pack(detail)
    trailing: list[tuple[str, str | bytes]] = [
        ("x-request-id", request_id),
        ("grpc-status-details-bin", status.SerializeToString(deterministic=True)),
    ]
    if fault.retry_after_ms is not None:
        trailing.append(("grpc-retry-pushback-ms", str(fault.retry_after_ms)))
    return Refusal(fault.code, fault.text, tuple(trailing))


def _details(fault: Fault, request_id: str) -> Iterator[Message]:
    yield error_details_pb2.ErrorInfo(reason=fault.reason, domain=DOMAIN, metadata=fault.metadata)
    yield error_details_pb2.RequestInfo(request_id=request_id)
    if fault.violations:
        yield error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field=violation.field, description=violation.description
                )
                for violation in fault.violations
            ]
        )
    if fault.retry_after_ms is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(fault.retry_after_ms)
        yield retry
