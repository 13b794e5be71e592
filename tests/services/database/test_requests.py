from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from checkout_server.database import Database, Tx
from checkout_server.database.requests import once
from checkout_server.faults import Fault


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.done = 0

    async def __call__(self) -> Int64Value:
        self.done += 1
        return Int64Value(value=self.done)


def call(
    make: Callable[[], Awaitable[Int64Value]],
    text: str = "x",
    *,
    request_id: str = "r1",
    scope: str = "tag",
    request: StringValue | None = None,
) -> Callable[[Tx], Awaitable[Int64Value]]:
    return lambda tx: once(
        tx,
        scope=scope,
        method="Save",
        request_id=request_id,
        request=request or StringValue(value=text),
        response_type=Int64Value,
        now_ms=1,
        make=make,
    )


async def test_the_same_request_gets_the_stored_answer(checkout_db: Database) -> None:
    work = Work()
    first = await checkout_db.transact(call(work))
    second = await checkout_db.transact(call(work))
    assert (first, second, work.done) == (Int64Value(value=1), Int64Value(value=1), 1)


async def test_another_request_under_the_same_id_is_a_conflict(checkout_db: Database) -> None:
    work = Work()
    await checkout_db.transact(call(work))
    with pytest.raises(Fault) as raised:
        await checkout_db.transact(call(work, "y"))
    assert (raised.value.reason, work.done) == ("IDEMPOTENCY_CONFLICT", 1)


@pytest.mark.parametrize("other", [{"request_id": "r2"}, {"scope": "other"}])
async def test_another_id_or_scope_is_another_request(
    checkout_db: Database, other: dict[str, str]
) -> None:
    work = Work()
    await checkout_db.transact(call(work))
    await checkout_db.transact(call(work, "y", **other))
    assert work.done == 2


async def test_a_field_from_a_newer_sdk_does_not_make_it_another_request(
    checkout_db: Database,
) -> None:
    work = Work()
    newer = StringValue.FromString(StringValue(value="x").SerializeToString() + b"\x98\x06\x01")
    await checkout_db.transact(call(work))
    await checkout_db.transact(call(work, request=newer))
    assert work.done == 1


async def test_failed_work_leaves_the_id_free(checkout_db: Database) -> None:
    async def fail() -> Int64Value:
        raise Fault("NOT_FOUND")

    with pytest.raises(Fault):
        await checkout_db.transact(call(fail))
    assert await checkout_db.transact(call(Work(), "y")) == Int64Value(value=1)


async def test_requests_at_the_same_moment_are_done_once(checkout_db: Database) -> None:
    work = Work()
    answers = await asyncio.gather(*(checkout_db.transact(call(work)) for _ in range(8)))
    assert answers == [Int64Value(value=1)] * 8
    assert work.done == 1
