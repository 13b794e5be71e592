"""Group commit: the units that arrive for one merchant while a transaction is being made durable
share the next.

One transaction at a time a merchant and process; its units were decided together by the planner.
Whatever fails does not fail for all: the units of a failed group run one by one, so that a poisoned
one harms nobody else, and one whose acknowledgement was lost reads again by its key (the planner
knows its own rows).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from checkout_server.checkout import planner, store
from checkout_server.checkout.attempt import AttemptRow
from checkout_server.checkout.planner import Answer, Reserve, Unit, Written
from checkout_server.database import (
    CommitUnknown,
    Contended,
    Database,
    DuplicateRow,
    StorageUnavailable,
    Tx,
)
from checkout_server.database.clock import ServiceClock
from checkout_server.faults import Fault

# A group of this size fills about 4 MiB of statements and some 10 ms of the loop: long enough to
# share an fsync, short enough that nobody waits for it.
MOST_UNITS = 256
# Two processes may make the same new counter row or claim the same key at the same moment: the
# loser reads again and finds what the winner wrote. More than a few such races in a row are not
# races.
MOST_TRIES = 5
# Taps that may wait for one merchant. A crowd of 5,000 on one video is what we are for; 32 groups
# of some 20 ms are within the 800 ms of a tap, and who would wait longer is told so instead.
MOST_WAITING = 32 * MOST_UNITS
# By then such a queue has gone.
FULL_RETRY_MS = 1_000
# One by one, a unit that waits for somebody's lock takes 2 s (postgres_session.py). After so many
# the rest of the group fails with it: those behind must not wait for minutes.
MOST_CONTENDED = 3


class _Waiting(NamedTuple):
    unit: Unit
    answer: asyncio.Future[Answer]


class Groups:
    """`on_written` hears of every attempt row that became durable here, before the submitter
    does."""

    def __init__(
        self,
        database: Database,
        clock: ServiceClock,
        on_written: Callable[[AttemptRow], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._on_written = on_written
        self._queues: dict[str, deque[_Waiting]] = {}
        self._runners: set[asyncio.Task[None]] = set()

    async def submit(self, unit: Unit) -> Answer:
        """The planner's answer, once what it wrote is durable. Raises StorageUnavailable when that
        is not known; giving the same unit again is safe. Cancelling the caller does not take the
        unit back. A tap that finds too many before it is refused: OVER_CAPACITY, and nothing was
        done. A step of an attempt never is, for money waits for it."""
        waiting = _Waiting(unit, asyncio.get_running_loop().create_future())
        merchant = unit.row.merchant
        queue = self._queues.get(merchant)
        if queue is None:
            queue = self._queues[merchant] = deque()
            runner = asyncio.create_task(self._run(merchant, queue), name=f"group {merchant}")
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        if isinstance(unit, Reserve) and len(queue) >= MOST_WAITING:
            raise Fault("OVER_CAPACITY", retry_after_ms=FULL_RETRY_MS)
        queue.append(waiting)
        return await waiting.answer

    async def _run(self, merchant: str, queue: deque[_Waiting]) -> None:
        # The units of one turn of the loop belong together: let them all arrive before the first
        # group.
        await asyncio.sleep(0)
        while queue:
            group = [queue.popleft() for _ in range(min(len(queue), MOST_UNITS))]
            await self._commit(merchant, group)
        del self._queues[merchant]

    async def _commit(self, merchant: str, group: Sequence[_Waiting]) -> None:
        try:
            answers = await self._transact(merchant, [waiting.unit for waiting in group])
        except StorageUnavailable as error:
            # Else the database itself is away, or full, or has no connection left: for all.
            if isinstance(error, CommitUnknown) or (
                isinstance(error, Contended) and len(group) > 1
            ):
                await self._one_by_one(merchant, group)
            else:
                self._fail(group, error)
        except Exception:
            await self._one_by_one(merchant, group)
        else:
            for waiting, answer in zip(group, answers, strict=True):
                self._give(waiting, answer)

    async def _one_by_one(self, merchant: str, group: Sequence[_Waiting]) -> None:
        contended = 0
        for place, waiting in enumerate(group):
            try:
                self._give(waiting, await self._alone(merchant, waiting.unit))
            except Contended as error:
                contended += 1
                if contended == MOST_CONTENDED:
                    self._fail(group[place:], error)
                    return
                self._fail([waiting], error)
            except Exception as error:
                self._fail([waiting], error)

    async def _alone(self, merchant: str, unit: Unit) -> Answer:
        for tries_left in reversed(range(MOST_TRIES)):
            try:
                return (await self._transact(merchant, [unit]))[0]
            except (DuplicateRow, CommitUnknown):
                if tries_left == 0:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _transact(self, merchant: str, units: Sequence[Unit]) -> list[Answer]:
        async def body(tx: Tx) -> list[Answer]:
            now_ms = self._clock.now_ms()
            seen = await store.read(tx, merchant, units)
            answers, writes = planner.plan(units, seen, now_ms)
            await store.write(tx, merchant, writes, now_ms)
            return answers

        return await self._database.transact(body)

    def _give(self, waiting: _Waiting, answer: Answer) -> None:
        if isinstance(answer, Written):
            self._on_written(answer.row)
        if not waiting.answer.done():
            waiting.answer.set_result(answer)

    def _fail(self, group: Sequence[_Waiting], error: Exception) -> None:
        for waiting in group:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
