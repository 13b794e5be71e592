"""From a gRPC status to the one class that says what a caller can do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # has no stubs

from checkout_sdk import errors

M = TypeVar("M", bound=Message)

BY_REASON: Mapping[str, type[errors.CheckoutError]] = {
    "QUOTE_INVALID": errors.QuoteInvalid,
    "IDEMPOTENCY_CONFLICT": errors.IdempotencyConflict,
    "KEY_RETIRED": errors.KeyRetired,
    "STALE_ETAG": errors.StaleEtag,
}
BY_CODE: Mapping[str, type[errors.CheckoutError]] = {
    "INVALID_ARGUMENT": errors.InvalidRequest,
    "OUT_OF_RANGE": errors.InvalidRequest,
    "UNAUTHENTICATED": errors.AuthenticationError,
    "PERMISSION_DENIED": errors.PermissionDenied,
    "NOT_FOUND": errors.NotFound,
    "FAILED_PRECONDITION": errors.PreconditionFailed,
    "ABORTED": errors.Unavailable,
    "CANCELLED": errors.Unavailable,
    "UNAVAILABLE": errors.Unavailable,
    "RESOURCE_EXHAUSTED": errors.OverCapacity,
    "DEADLINE_EXCEEDED": errors.DeadlineExceeded,
    "UNIMPLEMENTED": errors.Unsupported,
}
# CANCELLED: C-core drops calls with it when a burst fills its queue. A cancellation of our own
# never gets here as a status (asyncio raises, a closed channel is looked at first).
MAY_BE_REPEATED = frozenset({"UNAVAILABLE", "ABORTED", "CANCELLED", "DEADLINE_EXCEEDED"})

# Statuses that leave open whether the call took effect, unless one of these reasons says it did
# not.
LEAVES_OPEN = MAY_BE_REPEATED | {"RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN", "DATA_LOSS"}
NOTHING_WAS_DONE = frozenset({"OVER_CAPACITY", "DEADLINE_TOO_SHORT", "STALE_ETAG"})

# gRPC's own text when nobody listens at an address of this machine.
NOBODY_HERE = re.compile(r"(127\.\d+\.\d+\.\d+|::1|unix:).*(Connection refused|No such file)")


@dataclass(frozen=True, slots=True)
class _Details:
    reason: str | None = None
    retry_after_s: float | None = None
    violations: tuple[errors.FieldViolation, ...] = ()


def error_of(error: grpc.RpcError, request_id: str) -> errors.CheckoutError:
    """The exception for a failed try."""
    metadata = dict(_pairs(error))
    details = _details(metadata.get("grpc-status-details-bin"))
    pushback_s, forbidden = _pushback(metadata.get("grpc-retry-pushback-ms"))
    return make(
        code=error.code().name,
        reason=details.reason,
        text=error.details() or "",
        request_id=_text(metadata.get("x-request-id")) or request_id,
        retry_after_s=details.retry_after_s if pushback_s is None else pushback_s,
        forbidden=forbidden,
        violations=details.violations,
    )


def make(
    *,
    code: str,
    reason: str | None,
    text: str,
    request_id: str | None = None,
    retry_after_s: float | None = None,
    forbidden: bool = False,
    violations: tuple[errors.FieldViolation, ...] = (),
) -> errors.CheckoutError:
    """`forbidden`: the server's pushback says not to try again."""
    kind = BY_REASON.get(reason or "") or BY_CODE.get(code, errors.ServerError)
    repeatable = code in MAY_BE_REPEATED or (
        code == "RESOURCE_EXHAUSTED" and retry_after_s is not None
    )
    return kind(
        _message(_with_hint(code, text or code), reason, request_id, violations),
        code=code,
        reason=reason,
        request_id=request_id,
        retryable=repeatable and not forbidden and reason != "STALE_ETAG",
        retry_after_s=retry_after_s,
        field_violations=violations,
    )


def leaves_open(error: errors.CheckoutError) -> bool:
    """Whether the failed try may have taken effect all the same."""
    return error.code in LEAVES_OPEN and error.reason not in NOTHING_WAS_DONE


def _with_hint(code: str, text: str) -> str:
    """The server's words, and what to do where they cannot know: it is on this side."""
    if code == "UNAUTHENTICATED":
        return f"{text.rstrip('.')}. Look at CHECKOUT_TOKEN or token="
    if code == "UNAVAILABLE" and NOBODY_HERE.search(text):
        return f"{text}. Is a server running there? For a local one: checkout-server dev"
    return text


def _message(
    text: str,
    reason: str | None,
    request_id: str | None,
    violations: tuple[errors.FieldViolation, ...],
) -> str:
    fields = "".join(f" {each.field}: {each.description}." for each in violations)
    known = [reason or "", f"request {request_id}" if request_id else ""]
    note = ", ".join(filter(None, known))
    return f"{text}{fields} ({note})" if note else f"{text}{fields}"


def _pairs(error: grpc.RpcError) -> Iterable[tuple[Any, Any]]:
    # Pairs from the sync stack, an aio Metadata (which iterates as pairs) from the other, None when
    # the call never left this process.
    trailing: Iterable[Any] | None = error.trailing_metadata()
    return trailing or ()


def _pushback(value: object) -> tuple[float | None, bool]:
    """The wait in seconds, and whether another try is forbidden (gRFC A6: negative or not a
    number)."""
    if value is None:
        return None, False
    text = _text(value) or ""
    return (int(text) / 1000, False) if text.isascii() and text.isdigit() else (None, True)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _details(value: object) -> _Details:
    if not isinstance(value, bytes):
        return _Details()
    try:
        return _unpacked(status_pb2.Status.FromString(value))
    except DecodeError:
        return _Details()  # a proxy's own idea of details: the status code still speaks


def _unpacked(status: status_pb2.Status) -> _Details:
    info = _find(status, error_details_pb2.ErrorInfo)
    retry = _find(status, error_details_pb2.RetryInfo)
    bad = _find(status, error_details_pb2.BadRequest)
    return _Details(
        reason=(info.reason or None) if info else None,
        retry_after_s=retry.retry_delay.ToMicroseconds() / 1e6 if retry else None,
        violations=tuple(
            errors.FieldViolation(each.field, each.description)
            for each in (bad.field_violations if bad else ())
        ),
    )


def _find(status: status_pb2.Status, kind: type[M]) -> M | None:
    for detail in status.details:
        if detail.Is(kind.DESCRIPTOR):
            return kind.FromString(detail.value)
    return None
