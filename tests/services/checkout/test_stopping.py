"""The end of a process: in order, in time, and each step whatever became of the one before."""

from __future__ import annotations

import asyncio
from typing import Any

import apsw
import grpc
import pytest

from checkout_sdk._pb import attempt_pb2, quote_pb2
from checkout_server import wiring
from checkout_server.database import Tx
from checkout_server.settings import Settings
from tests.answers import reason_of
from tests.services.checkout.conftest import OpenWorld

ONLY_SQLITE = pytest.mark.parametrize("db_url", ["sqlite"], indirect=True)


class Part:
    """Something to stop, which notes that it was. `left` undone; or it breaks."""

    def __init__(self, name: str, told: list[tuple[str, object]], left: int | None = 0) -> None:
        self._name = name
        self._told = told
        self._left = left

    async def drain(self, timeout_s: float) -> int:
        return self._end(timeout_s)

    async def stop(self, **given: object) -> int:
        return self._end(given.get("left"))

    async def close(self) -> int:
        return self._end(None)

    def _end(self, given: object) -> int:
        self._told.append((self._name, given))
        if self._left is None:
            raise ValueError(f"{self._name} broke")
        return self._left


PARTS = ("clock", "lease", "driver", "operations", "recovery", "charges")


def process_of(told: list[tuple[str, object]], drain_s: int, **left: int | None) -> wiring.Process:
    parts: dict[str, Any] = {name: Part(name, told, left.get(name, 0)) for name in PARTS}
    databases: Any = (Part("first", told, left.get("first", 0)), Part("second", told))
    server: Any = None
    return wiring.Process(
        Settings(drain_s=drain_s), databases, asyncio.Event(), **parts, server=server
    )


async def test_a_step_that_breaks_does_not_keep_the_others():
    told: list[tuple[str, object]] = []
    broken = dict.fromkeys((*PARTS, "first"))
    process = process_of(told, 0, **broken)
    await process.drain()
    await process.close()
    order = ["recovery", "driver", "operations", "charges", "lease", "clock", "first", "second"]
    assert [name for name, _ in told] == order


@pytest.mark.parametrize(
    ("left", "still"),
    [
        ({}, 0),
        ({"driver": 2, "operations": 1}, 3),
        ({"driver": None}, 1),
    ],
)
async def test_the_lease_is_given_up_when_nothing_is_left(left: dict[str, int | None], still: int):
    told: list[tuple[str, object]] = []
    await process_of(told, 0, **left).drain()
    assert dict(told)["lease"] == still


class Slow:
    """A driver that needs nearly all the time it gets, on a clock nobody has to wait for."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    async def drain(self, timeout_s: float) -> int:
        self.seconds += timeout_s - 1
        return 0

    def monotonic(self) -> float:
        return self.seconds


async def test_all_that_is_drained_shares_one_deadline(monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[str, object]] = []
    process = process_of(told, 20)
    slow: Any = Slow()
    process._driver = slow
    monkeypatch.setattr(wiring, "time", slow)
    await process.drain()
    assert (dict(told)["operations"], dict(told)["charges"]) == (20, 1.0)


async def test_watchers_do_not_keep_a_process_from_its_end(open_world: OpenWorld):
    async with open_world() as world:
        offer = await world.offer()
        ann = await world.buyer("pm_card_threeDSecure2Required")
        attempt_id = (await ann.buy(offer)).attempt.attempt_id
        streams = [
            world.checkout.WatchAttempt(
                attempt_pb2.WatchAttemptRequest(attempt_id=attempt_id), metadata=world.platform
            ),
            world.checkout.WatchOffers(
                quote_pb2.WatchOffersRequest(offer_ids=[offer.offer_id]), metadata=world.platform
            ),
        ]
        for stream in streams:
            await stream.read()
        # Far longer than any test may take.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wiring, "GRACE_S", 3_600)
            await world.process.stop()
        for stream in streams:
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await stream.read()
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
            assert reason_of(ended.value) == "SHUTTING_DOWN"


def no_rollback(_cursor: object, sql: str, _bindings: object) -> bool:
    if sql == "ROLLBACK":
        raise apsw.IOError("scripted")
    return True


@ONLY_SQLITE
async def test_a_failed_disk_ends_the_process(open_world: OpenWorld):
    async def body(tx: Tx) -> None:
        raise KeyError("a body's own")

    async with open_world() as world:
        assert world.process._server._healthy()
        inner: Any = world.database._inner
        inner._writer.exec_trace = no_rollback
        with pytest.raises(KeyError):
            await world.database.transact(body)
        await world.process.failed.wait()
        assert not world.process._server._healthy()
