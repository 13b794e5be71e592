"""Waiting for an attempt as long as its caller can, and saying what has become of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from google.protobuf.duration_pb2 import Duration

from checkout_sdk._pb import attempt_pb2
from checkout_server.call import Call
from checkout_server.checkout import outcome, store
from checkout_server.checkout.attempt import AttemptRow, State
from checkout_server.checkout.waiting import Waiting, Watch
from checkout_server.database import Database, StorageUnavailable
from checkout_server.database.clock import ServiceClock

# What is left of the caller's deadline for the answer to travel in.
TRAVEL_S = 0.05
# DESIGN.md 2: one step, two when the bank wants the buyer.
STEPS_ALLOWED = 2

# An attempt in one of these may still be decided while we wait.
UNDECIDED = frozenset({State.RESERVED, State.CHARGING, State.UNKNOWN})


class Answering:
    def __init__(
        self,
        database: Database,
        clock: ServiceClock,
        waiting: Waiting[AttemptRow],
        meet: Callable[[AttemptRow], Awaitable[None]],
        *,
        answer_within_ms: int,
        forward_window_ms: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._waiting = waiting
        self._meet = meet
        self._answer_within_ms = answer_within_ms
        self._forward_window_ms = forward_window_ms

    def answer_by(self, call: Call, answer_within_ms: int = 0) -> float:
        """On the monotonic clock: 800 ms (or the merchant's figure) from the start, or what the
        caller's deadline leaves, whichever comes first."""
        within_s = (answer_within_ms or self._answer_within_ms) / 1000
        by = call.started + within_s
        return by if call.deadline is None else min(by, call.deadline - TRAVEL_S)

    def decided_by_ms(self, created_ms: int) -> int:
        return created_ms + self._forward_window_ms

    def watch(self, row: AttemptRow) -> Watch[AttemptRow]:
        return self._waiting.watch(row.merchant, row.attempt_id)

    async def joined(self, row: AttemptRow, answer_by: float) -> AttemptRow:
        """An attempt that somebody else began, perhaps in another process: as it is by
        `answer_by`."""
        if row.state not in UNDECIDED:
            return row
        with self.watch(row) as watch:
            row = await self.reread(row)  # what changed before we watched
            with suppress(StorageUnavailable):
                await self._meet(row)
            return await self.followed(row, watch, answer_by)

    async def followed(
        self, row: AttemptRow, watch: Watch[AttemptRow], answer_by: float
    ) -> AttemptRow:
        """The newest row once it is decided, or by `answer_by`."""
        while row.state in UNDECIDED:
            left_s = answer_by - time.monotonic()
            changed, written_here = await watch.newer(row.version, timeout_s=left_s)
            if not changed:
                return row
            row = written_here or await self.reread(row)
        return row

    async def reread(self, row: AttemptRow) -> AttemptRow:
        try:
            current = await store.by_id(self._database, row.merchant, row.attempt_id)
        except StorageUnavailable:
            return row  # after T1 every answer is an outcome: what we last knew is one
        if current is None:
            raise AssertionError(f"{row.attempt_id} is gone")
        return current

    def shown(self, row: AttemptRow) -> attempt_pb2.Attempt:
        return outcome.shown(row, self._clock.now_ms(), self.decided_by_ms(row.created_ms))

    def response(
        self, row: AttemptRow, *, replayed: bool = False, queued: bool = False
    ) -> attempt_pb2.PlaceOrderResponse:
        mode = attempt_pb2.Mode.MODE_QUEUED if queued else attempt_pb2.Mode.MODE_FULL
        return attempt_pb2.PlaceOrderResponse(
            attempt=self.shown(row),
            replayed=replayed,
            mode=mode,
            messages=outcome.messages_of(row),
        )


def with_budget(
    response: attempt_pb2.PlaceOrderResponse,
    request: attempt_pb2.PlaceOrderRequest,
    call: Call,
    stages: Sequence[tuple[str, float]],
    answer_by: float,
) -> attempt_pb2.PlaceOrderResponse:
    """Adds what the viewer had to do and how long it took to what was allowed."""
    steps = max(request.journey.steps, 1)
    if response.attempt.HasField("action_required"):
        steps += 1
    response.budget.CopyFrom(
        attempt_pb2.Budget(
            steps_used=steps,
            steps_allowed=STEPS_ALLOWED,
            time_used=_lasting(time.monotonic() - call.started),
            time_allowed=_lasting(answer_by - call.started),
            stages=[
                attempt_pb2.Stage(name=name, duration=_lasting(took))
                for name, took in _summed(stages)
            ],
        )
    )
    if response.mode == attempt_pb2.Mode.MODE_UNSPECIFIED:
        response.mode = attempt_pb2.Mode.MODE_FULL
    return response


def _summed(stages: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    total: dict[str, float] = {}
    for name, took in stages:
        total[name] = total.get(name, 0.0) + took
    return list(total.items())


def _lasting(seconds: float) -> Duration:
    """To the microsecond: stages are shorter than a millisecond."""
    micros = max(round(seconds * 1_000_000), 0)
    return Duration(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)
