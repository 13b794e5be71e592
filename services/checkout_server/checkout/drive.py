"""The attempt's own task: from T1 to its end, whoever started it, whatever happens to the caller.

The handler of a tap only waits for this task. It is never cancelled by an RPC: not at the deadline,
not when the client goes away, not when the server stops. A crash is survived by the row alone:
recovery, or a joiner that meets a dead worker's attempt, claims it and runs the same `_drive_on`
from the state it finds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog

from checkout_server.checkout import settle, store
from checkout_server.checkout.attempt import AttemptRow, State
from checkout_server.checkout.conversation import LeaseLost
from checkout_server.checkout.group import Groups
from checkout_server.checkout.planner import Answer, Reserve, Written
from checkout_server.checkout.provider_queue import Place, ProviderQueue
from checkout_server.checkout.stages import stage
from checkout_server.checkout.steps import Steps, TakenOver
from checkout_server.checkout.waiting import Waiting, Watch
from checkout_server.checkout.worker import Lease
from checkout_server.database import Database, StorageUnavailable
from checkout_server.database.clock import ServiceClock

log = structlog.get_logger(__name__)

# An attempt whose step broke, and whose setback could not even be written, is left alone this long:
# recovery would otherwise bring it back every second.
STUMBLED_S = 60.0
MOST_STUMBLED = 1_000


class Driver:
    """Drives attempts, each in one task of its own, until they are final or a person is needed."""

    def __init__(
        self,
        database: Database,
        clock: ServiceClock,
        groups: Groups,
        lease: Lease,
        waiting: Waiting[AttemptRow],
        steps: Steps,
        queue: ProviderQueue,
    ) -> None:
        self._database = database
        self._clock = clock
        self._groups = groups
        self._lease = lease
        self._waiting = waiting
        self._steps = steps
        self._queue = queue
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stumbled: dict[str, float] = {}
        self._stopping = asyncio.Event()

    def start(self, unit: Reserve, place: Place | None) -> asyncio.Future[Answer]:
        """T1 and everything after it, in a task that belongs to the attempt. The future is T1's
        answer, as soon as it is durable or refused; StorageUnavailable when neither is known."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        # A caller that has left does not fetch the exception; it is the task's to report, not the
        # loop's.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._own(unit.row.attempt_id, self._tap(unit, place, answer))
        return answer

    def resume(self, row: AttemptRow) -> None:
        """Goes on with an attempt that nobody drives, from the state its row is in."""
        busy = self.drives(row.attempt_id) or self._stopping.is_set()
        again_at = self._stumbled.get(row.attempt_id, 0.0)
        if row.state.is_driven and not busy and time.monotonic() >= again_at:
            self._own(row.attempt_id, self._take_over(row))

    async def meet(self, row: AttemptRow) -> None:
        """Resumes an attempt that a joiner came upon, if its worker is dead."""
        if row.state.is_driven and row.worker != self._lease.worker:
            alive_since_ms = self._lease.alive_since_ms
            if not await store.owner_lives(self._database, row, alive_since_ms=alive_since_ms):
                self.resume(row)

    def drives(self, attempt_id: str) -> bool:
        return attempt_id in self._tasks

    async def drain(self, timeout_s: float) -> int:
        """Lets what is at the provider finish; what only waits is left to its row. How many did
        not."""
        self._stopping.set()
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()), timeout=timeout_s)
        return len(self._tasks)

    def _own(self, attempt_id: str, work: Coroutine[Any, Any, None]) -> None:
        # The strong reference matters: the loop keeps tasks weakly, and one may vanish half-way.
        task = asyncio.create_task(work, name=f"attempt {attempt_id}")
        self._tasks[attempt_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(attempt_id, None))

    async def _tap(
        self, unit: Reserve, place: Place | None, answer: asyncio.Future[Answer]
    ) -> None:
        try:
            try:
                with stage("reserve"):
                    reserved = await self._groups.submit(unit)
            except Exception as error:
                answer.set_exception(error)
                return
            answer.set_result(reserved)
            # After a lost acknowledgement the row may have found another driver meanwhile.
            if isinstance(reserved, Written) and reserved.row.worker == self._lease.worker:
                await self._drive(reserved.row, place)
        finally:
            if place is not None:
                place.give_back()

    async def _take_over(self, row: AttemptRow) -> None:
        try:
            row = await self._steps.claim(row)
        except (StorageUnavailable, TakenOver):
            return  # recovery comes by again
        log.info("attempt.taken_over", attempt_id=row.attempt_id, state=row.state)
        await self._drive(row, None, resumed=True)

    async def _drive(self, row: AttemptRow, place: Place | None, *, resumed: bool = False) -> None:
        try:
            await self._drive_on(row, place, resumed=resumed)
        except (LeaseLost, TakenOver):
            log.warning("attempt.fenced", attempt_id=row.attempt_id)
        except StorageUnavailable:
            log.warning("attempt.storage_gave_up", attempt_id=row.attempt_id)
        except Exception:
            log.exception("attempt.failed", attempt_id=row.attempt_id, state=row.state)
            await self._set_back(row)

    async def _set_back(self, row: AttemptRow) -> None:
        """Nobody else must suffer from an attempt whose every step breaks."""
        try:
            current = await store.by_id(self._database, row.merchant, row.attempt_id)
            if current is not None and current.worker == self._lease.worker:
                await self._steps.set_back(current)
        except Exception:
            log.exception("attempt.setback_failed", attempt_id=row.attempt_id)
        if len(self._stumbled) >= MOST_STUMBLED:
            self._stumbled.clear()
        self._stumbled[row.attempt_id] = time.monotonic() + STUMBLED_S

    async def _drive_on(self, row: AttemptRow, place: Place | None, *, resumed: bool) -> None:
        """The whole life after T1, over the states of PROTOCOL.md 4. Watched all the while: word
        that is left during a call to the provider must not wait for the next look. A resumed
        attempt is looked at first: nobody knows what happened while it had no driver."""
        looks = 0
        with self._waiting.watch(row.merchant, row.attempt_id) as watch:
            while row.state.is_driven:
                if not resumed:
                    row = await self._rest(row, looks, watch)
                resumed = False
                with place or await self._turn(row):
                    if self._stopping.is_set() and row.state is not State.CHARGING:
                        return
                    after = await self._steps.next(row)
                place = None
                looks = looks + 1 if after is row else 0
                row = after

    async def _turn(self, row: AttemptRow) -> AbstractContextManager[object]:
        """A place at the provider; a free order needs none."""
        if not row.record().HasField("authorize"):
            return nullcontext()
        return await self._queue.place(ahead=row.state is not State.RESERVED)

    async def _rest(self, row: AttemptRow, looks: int, watch: Watch[AttemptRow]) -> AttemptRow:
        """Sleeps while there is nothing to ask. A newer row comes back when somebody left word on
        it."""
        wait_ms = self._due_ms(row, looks) - self._clock.now_ms()
        if wait_ms <= 0 or self._stopping.is_set():
            return row
        stopping = asyncio.ensure_future(self._stopping.wait())
        newer = asyncio.ensure_future(watch.newer(row.version, timeout_s=wait_ms / 1000))
        await asyncio.wait({stopping, newer}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, newer):
            task.cancel()
        await asyncio.gather(stopping, newer, return_exceptions=True)
        current = await store.by_id(self._database, row.merchant, row.attempt_id)
        if current is None:
            raise AssertionError(f"{row.attempt_id} is gone")
        if current.worker != row.worker or current.worker_epoch != row.worker_epoch:
            raise TakenOver
        return row if current.version == row.version else current

    def _due_ms(self, row: AttemptRow, looks: int) -> int:
        """When to ask next. A buyer at the bank is looked after more and more rarely."""
        if row.state is not State.ACTION_REQUIRED:
            return row.next_ms
        record = row.record()
        if record.cancel_requested and looks == 0:
            return row.updated_ms
        next_look_ms = self._clock.now_ms() + settle.backoff_ms(looks, settle.PROCESSING)
        return min(next_look_ms, record.action_expires_ms)
