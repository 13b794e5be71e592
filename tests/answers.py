"""Reading what the server said: the outcome of an answer, the reason of a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

from checkout_sdk._pb import attempt_pb2, quote_pb2

STATE = attempt_pb2.AttemptState
CODE = attempt_pb2.RejectedCode


def outcome_of(answer: Any) -> str:
    """The outcome's name, of a response or of an attempt."""
    attempt = answer if isinstance(answer, attempt_pb2.Attempt) else answer.attempt
    return str(attempt.WhichOneof("outcome"))


def state_of(attempt: attempt_pb2.Attempt) -> str:
    return STATE.Name(attempt.state).removeprefix("ATTEMPT_STATE_")


def refusal_of(answer: Any) -> str:
    """The code of a rejected outcome."""
    attempt = answer if isinstance(answer, attempt_pb2.Attempt) else answer.attempt
    assert attempt.WhichOneof("outcome") == "rejected", attempt
    return CODE.Name(attempt.rejected.code).removeprefix("REJECTED_CODE_")


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The ErrorInfo reason of a refused call."""
    return str(_detail(error, error_details_pb2.ErrorInfo).reason)


def field_of(error: grpc.aio.AioRpcError) -> str:
    """The path of the one field that a request was refused for."""
    [violation] = _detail(error, error_details_pb2.BadRequest).field_violations
    return str(violation.field)


def _detail(error: grpc.aio.AioRpcError, kind: type[Any]) -> Any:
    status = status_pb2.Status.FromString(details_of(error))
    [packed] = [one for one in status.details if one.Is(kind.DESCRIPTOR)]
    detail = kind()
    packed.Unpack(detail)
    return detail


def details_of(error: grpc.aio.AioRpcError) -> bytes:
    return bytes(dict(error.trailing_metadata() or ())["grpc-status-details-bin"])


def codes(messages: Iterable[quote_pb2.Message]) -> list[str]:
    return [message.code for message in messages]
