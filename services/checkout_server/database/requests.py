"""Calls that carry a request_id: done once, answered alike as often as they are sent.

The row is taken before the work: on PostgreSQL a second call with the same id then waits for the
first one's COMMIT, and finds its answer, where both would have done the work if each had only
looked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from checkout_server.database import Tx
from checkout_server.faults import Fault

R = TypeVar("R", bound=Message)

TAKE = """
INSERT INTO request (scope, method, request_id, fingerprint, response, created_ms)
VALUES (:scope, :method, :request_id, :fingerprint, :response, :now_ms)
ON CONFLICT (scope, method, request_id) DO NOTHING
"""
ANSWER = """
UPDATE request SET response = :response
WHERE scope = :scope AND method = :method AND request_id = :request_id
"""
FIND = """
SELECT fingerprint, response FROM request
WHERE scope = :scope AND method = :method AND request_id = :request_id
"""


async def once(
    tx: Tx,
    *,
    scope: str,
    method: str,
    request_id: str,
    request: Message,
    response_type: type[R],
    now_ms: int,
    make: Callable[[], Awaitable[R]],
) -> R:
    """`make()`'s response, or the stored one when this request was answered before.

    `scope` is the tag of the merchant or platform. Raises IDEMPOTENCY_CONFLICT when the id was
    used for another request.
    """
    key: dict[str, Any] = {"scope": scope, "method": method, "request_id": request_id}
    fingerprint = _fingerprint(request)
    taken = await tx.run(TAKE, **key, fingerprint=fingerprint, response=b"", now_ms=now_ms)
    if taken:
        response = await make()
        await tx.run(ANSWER, **key, response=response.SerializeToString())
        return response
    [(known, stored)] = await tx.fetch(FIND, **key)
    if known != fingerprint:
        raise Fault("IDEMPOTENCY_CONFLICT")
    return response_type.FromString(stored)


def _fingerprint(request: Message) -> bytes:
    """Over what we understand: a field from a newer SDK must not make it another request."""
    understood = type(request)()
    understood.CopyFrom(request)
    understood.DiscardUnknownFields()
    return hashlib.sha256(understood.SerializeToString(deterministic=True)).digest()
