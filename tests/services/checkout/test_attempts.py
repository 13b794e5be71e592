"""Asking what has become of a tap, and watching it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from checkout_sdk._pb import attempt_pb2
from checkout_server import ids
from checkout_server.call import Call, Caller
from checkout_server.checkout import waiting
from checkout_server.checkout.advance import Windows
from checkout_server.checkout.answering import Answering
from checkout_server.checkout.attempt import AttemptRow, State
from checkout_server.checkout.attempts import Attempts
from checkout_server.checkout.group import Groups
from checkout_server.checkout.planner import Event, Reserve
from checkout_server.database import Database
from tests.answers import details_of, outcome_of, reason_of, state_of
from tests.buyer import Metadata
from tests.fakes.clock import FakeClock
from tests.services.checkout import rows
from tests.services.checkout.conftest import OpenWorld
from tests.world import HURRIED_MS, PLATFORM, TAG, World, eventually

CHALLENGE = "pm_card_threeDSecure2Required"
SAME_REQUEST = (("x-request-id", "req-1"),)


async def refused(world: World, method: str, caller: Metadata, **fields: Any) -> AioRpcError:
    request = getattr(attempt_pb2, f"{method}Request")(**fields)
    call = getattr(world.checkout, method)(request, metadata=caller + SAME_REQUEST)
    first = call.read() if method == "WatchAttempt" else call
    with pytest.raises(AioRpcError) as caught:
        await first
    return caught.value


async def test_somebody_elses_attempt_looks_like_none(world: World):
    ann = await world.buyer(CHALLENGE)
    attempt_id = (await ann.buy(await world.offer())).attempt.attempt_id
    rows_before = await world.counts()
    strangers = [
        world.token("buyer", buyer="bob"),
        world.token("platform", platform="clipper"),
        world.token("platform", merchants=("hats",)),
    ]
    for method in ("GetAttempt", "WatchAttempt", "CompleteAction", "CancelAttempt"):
        unknown = await refused(world, method, world.platform, attempt_id=ids.new_id("att", TAG))
        assert unknown.code() is StatusCode.NOT_FOUND
        for stranger in strangers:
            foreign = await refused(world, method, stranger, attempt_id=attempt_id)
            assert (foreign.code(), foreign.details()) == (unknown.code(), unknown.details())
            assert foreign.trailing_metadata() == unknown.trailing_metadata()
    assert await world.counts() == rows_before
    assert state_of(await world.attempt(attempt_id)) == "ACTION_REQUIRED"


async def test_somebody_elses_key_looks_like_none(world: World):
    ann = await world.buyer()
    quote = await ann.quote(await world.offer())
    key = {"idempotency_key": quote.tap_key}
    not_yet = await refused(world, "GetAttempt", world.platform, buyer_id=ann.buyer_id, **key)
    assert reason_of(not_yet) == "NOT_FOUND"
    await ann.tap(quote)
    for stranger, buyer_id in (
        (world.token("buyer", buyer="bob"), ""),
        (world.platform, "bob"),
        (world.token("platform", platform="clipper"), ann.buyer_id),
        (world.token("platform", merchants=("hats",)), ann.buyer_id),
    ):
        foreign = await refused(world, "GetAttempt", stranger, buyer_id=buyer_id, **key)
        assert details_of(foreign) == details_of(not_yet)


async def test_an_attempt_is_found_by_its_id_and_by_its_key(world: World):
    ann = await world.buyer()
    quote = await ann.quote(await world.offer())
    placed = (await ann.tap(quote)).attempt
    own = world.token("buyer", buyer=ann.buyer_id)
    for request in (
        attempt_pb2.GetAttemptRequest(attempt_id=placed.attempt_id),
        attempt_pb2.GetAttemptRequest(idempotency_key=quote.tap_key),
    ):
        answer = await world.checkout.GetAttempt(request, metadata=own)
        assert answer.attempt == placed


async def test_a_key_of_the_callers_own_making_needs_its_merchant(world: World):
    ann = await world.buyer()
    quote = await ann.quote(await world.offer())
    placed = (await ann.tap(quote, idempotency_key="our-own-key")).attempt
    assert await ann.asks("our-own-key") == placed
    lacking = await refused(
        world,
        "GetAttempt",
        world.platform,
        buyer_id=ann.buyer_id,
        idempotency_key="our-own-key",
    )
    assert reason_of(lacking) == "INVALID_FIELD"


async def test_a_watcher_sees_each_state_and_then_the_end(open_world: OpenWorld):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        ann = await world.buyer()
        world.line.hold()
        first = (await ann.buy(offer)).attempt
        stream = watch(world, first.attempt_id).__aiter__()
        seen = [(await anext(stream)).attempt]
        world.line.release()
        seen += [told.attempt async for told in stream]
        assert [state_of(attempt) for attempt in seen] == ["CHARGING", "PLACED"]
        assert seen[-1] == await world.attempt(first.attempt_id)
        again = [told.attempt async for told in watch(world, first.attempt_id, seen[0].version)]
        assert again == seen[1:]
        assert [told async for told in watch(world, first.attempt_id, seen[1].version)] == []


async def test_a_watcher_hears_of_the_bank_and_of_the_end(world: World):
    ann = await world.buyer(CHALLENGE)
    attempt_id = (await ann.buy(await world.offer())).attempt.attempt_id
    stream = watch(world, attempt_id).__aiter__()
    told = await anext(stream)
    assert outcome_of(told) == "action_required"
    assert told.server_time.ToMilliseconds() > 0
    world.bank(attempt_id, passed=True)
    coming_back = asyncio.create_task(ann.comes_back(attempt_id))
    outcomes = [outcome_of(told) async for told in stream]
    assert outcomes[-1] == "placed"
    await coming_back


def watch(world: World, attempt_id: str, after_version: int = 0):
    request = attempt_pb2.WatchAttemptRequest(attempt_id=attempt_id, after_version=after_version)
    return world.checkout.WatchAttempt(request, metadata=world.platform)


async def test_many_watchers_leave_nothing_behind(world: World):
    ann = await world.buyer(CHALLENGE)
    attempt_id = (await ann.buy(await world.offer())).attempt.attempt_id
    streams = [watch(world, attempt_id) for _ in range(20)]
    for stream in streams:
        await stream.read()
        stream.cancel()
    watches = world.process._driver._waiting._watches

    async def only_the_driver() -> bool:
        return len(watches.get(attempt_id, ())) <= 1

    await eventually(only_the_driver)


async def test_nothing_new_is_told_by_a_heartbeat(checkout_db: Database, clock: FakeClock):
    changes = waiting.Waiting[AttemptRow](checkout_db, waiting.ATTEMPT_VERSIONS)
    groups = Groups(
        checkout_db,
        clock,
        lambda row: changes.changed(row.attempt_id, row.version, row),
    )
    answering = Answering(
        checkout_db,
        clock,
        changes,
        nobody,
        answer_within_ms=800,
        forward_window_ms=900_000,
    )
    attempts = Attempts(
        checkout_db,
        clock,
        groups,
        answering,
        Windows(),
        heartbeat_s=0.01,
    )
    attempt_id = ids.new_id("att", TAG)
    row = rows.attempt(attempt_id, merchant=TAG, platform_id=PLATFORM)
    await groups.submit(Reserve(row, (), b"wish", Event("evt_1", "attempt.charging", b"")))
    call = Call(Caller(PLATFORM, frozenset({"platform"})), "WatchAttempt", "req_1")
    request = attempt_pb2.WatchAttemptRequest(attempt_id=attempt_id)
    told = attempts.watch_attempt(request, call)
    assert state_of((await anext(told)).attempt) == "CHARGING"
    for _ in range(2):
        heartbeat = await anext(told)
        assert not heartbeat.HasField("attempt")
        assert heartbeat.server_time.ToMilliseconds() == clock.now_ms()
    await groups.submit(rows.advance(row, State.UNKNOWN))
    assert state_of((await anext(told)).attempt) == "UNKNOWN"
    await told.aclose()


async def nobody(row: AttemptRow) -> None:
    """Whose owner is alive."""
