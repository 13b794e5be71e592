"""The attempt's own task: from T1 to its end, whoever started it, whatever happens to the caller.

The handler of a tap only waits for this task. It is never cancelled by an RPC: not at the deadline,
not when the client goes away, not when the server stops. A crash is survived by the row alone:
recovery, or a joiner that meets a dead worker's attempt, claims it and runs the same `_drive` from
the state it finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog

from checkout_server._pb import charge_pb2
from checkout_server.checkout import settle, store
from checkout_server.checkout.advance import Owner, Windows, advance, claim
from checkout_server.checkout.attempt import AttemptRow, State, may_become
from checkout_server.checkout.conversation import Conversation
from checkout_server.checkout.group import Groups
from checkout_server.checkout.planner import Advance, Answer, Fenced, Reserve, Written
from checkout_server.checkout.provider_queue import Place, ProviderQueue
from checkout_server.checkout.settle import Situation, Verdict
from checkout_server.checkout.stages import stage
from checkout_server.checkout.waiting import Waiting
from checkout_server.checkout.worker import Lease
from checkout_server.database import Database, StorageUnavailable
from checkout_server.database.clock import ServiceClock

log = structlog.get_logger(__name__)

# A database that does not take T2 is asked again while the money waits. After that recovery goes on
# from the row: it meets the attempt again within seconds, and the provider answers the same key the
# same way.
STORAGE_RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)


class TakenOver(Exception):
    """Somebody else drives this attempt now: nothing more of it is ours to do."""


class Driver:
    """Drives attempts, each in one task of its own, until they are final or a person is needed."""

    def __init__(
        self,
        database: Database,
        clock: ServiceClock,
        groups: Groups,
        lease: Lease,
        waiting: Waiting[AttemptRow],
        conversation: Conversation,
        queue: ProviderQueue,
        windows: Windows,
    ) -> None:
        self._database = database
        self._clock = clock
        self._groups = groups
        self._lease = lease
        self._waiting = waiting
        self._conversation = conversation
        self._queue = queue
        self._windows = windows
        self._tasks: dict[str, asyncio.Task[None]] = {}
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
        if row.state.is_driven and not self.drives(row.attempt_id) and not self._stopping.is_set():
            self._own(row.attempt_id, self._take_over(row))

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
            if isinstance(reserved, Written):
                await self._drive(reserved.row, place)
        finally:
            if place is not None:
                place.give_back()

    async def _take_over(self, row: AttemptRow) -> None:
        unit = claim(row, owner=self._owner(), now_ms=self._clock.now_ms())
        try:
            claimed = await self._groups.submit(unit)
        except StorageUnavailable:
            return  # recovery comes by again
        if isinstance(claimed, Written):
            log.info("attempt.taken_over", attempt_id=row.attempt_id, state=row.state)
            await self._drive(claimed.row, None)

    async def _drive(self, row: AttemptRow, place: Place | None) -> None:
        try:
            await self._drive_on(row, place)
        except TakenOver:
            log.warning("attempt.fenced", attempt_id=row.attempt_id)
        except StorageUnavailable:
            log.warning("attempt.storage_gave_up", attempt_id=row.attempt_id)
        except Exception:
            # Its row stays what it is; recovery tries again, and parks it when it never works.
            log.exception("attempt.failed", attempt_id=row.attempt_id, state=row.state)

    async def _drive_on(self, row: AttemptRow, place: Place | None) -> None:
        """The whole life after T1, over the states of PROTOCOL.md 4."""
        looks = 0
        while row.state.is_driven:
            row = await self._rest(row, looks)
            with place or await self._turn(row):
                if self._stopping.is_set() and row.state is not State.CHARGING:
                    return
                after = await self._step(row)
            place = None
            looks = looks + 1 if after is row else 0
            row = after

    async def _turn(self, row: AttemptRow) -> AbstractContextManager[object]:
        """A place at the provider; a free order needs none."""
        return await self._queue.place() if row.record().HasField("authorize") else nullcontext()

    async def _step(self, row: AttemptRow) -> AttemptRow:
        """Asks the provider and makes the answer durable: one turn, one state."""
        if row.state is State.RESERVED:
            charging = await self._write(row, self._leave_line(row), None)
            return await self._step(charging) if charging.state is State.CHARGING else charging
        try:
            with stage("charge"):
                verdict, charge = await self._conversation.hold(self._situation(row))
        except Exception:
            log.exception("attempt.conversation_failed", attempt_id=row.attempt_id)
            verdict, charge = Verdict(State.UNKNOWN, "internal"), None
        if verdict.state is row.state is State.ACTION_REQUIRED:
            return row  # still at the bank: nothing new to keep
        return await self._write(row, settle.give_up(verdict, row.state, row.tries), charge)

    def _leave_line(self, row: AttemptRow) -> Verdict:
        """Leaving the line is one commit before the POST, and only within the forward window."""
        if self._situation(row).late:
            return Verdict(State.EXPIRED, "queued_too_long")
        return Verdict(State.CHARGING)

    async def _rest(self, row: AttemptRow, looks: int) -> AttemptRow:
        """Sleeps while there is nothing to ask. A newer row comes back when somebody left word on
        it."""
        now_ms = self._clock.now_ms()
        due_ms = row.next_ms
        if row.state is State.ACTION_REQUIRED:
            expires_ms = row.record().action_expires_ms
            due_ms = min(now_ms + settle.backoff_ms(looks, settle.PROCESSING), expires_ms)
        if due_ms <= now_ms or self._stopping.is_set():
            return row
        await self._sleep(row, (due_ms - now_ms) / 1000)
        current = await store.by_id(self._database, row.merchant, row.attempt_id)
        if current is None:
            raise AssertionError(f"{row.attempt_id} is gone")
        if current.worker != row.worker or current.worker_epoch != row.worker_epoch:
            raise TakenOver
        return row if current.version == row.version else current

    async def _sleep(self, row: AttemptRow, timeout_s: float) -> None:
        with self._waiting.watch(row.merchant, row.attempt_id) as watch:
            stopping = asyncio.ensure_future(self._stopping.wait())
            newer = asyncio.ensure_future(watch.newer(row.version, timeout_s=timeout_s))
            await asyncio.wait({stopping, newer}, return_when=asyncio.FIRST_COMPLETED)
            for task in (stopping, newer):
                task.cancel()
            await asyncio.gather(stopping, newer, return_exceptions=True)

    async def _write(
        self, row: AttemptRow, verdict: Verdict, charge: charge_pb2.Charge | None
    ) -> AttemptRow:
        """Makes the verdict durable. Word that somebody left meanwhile is kept: the same verdict is
        written on the newer row."""
        while True:
            answer = await self._submit(self._unit(row, verdict, charge))
            match answer:
                case Written(row=written):
                    if written.state is verdict.state:
                        return written
                    row = written  # half-way: there is no edge but through UNKNOWN
                case Fenced(row=AttemptRow() as current):
                    if current.worker != self._lease.worker:
                        raise TakenOver
                    if not current.state.is_driven:
                        return current
                    row = current
                case other:
                    raise AssertionError(f"{row.attempt_id}: {other}")

    def _unit(self, row: AttemptRow, verdict: Verdict, charge: charge_pb2.Charge | None) -> Advance:
        if not may_become(row.state, verdict.state):
            verdict = Verdict(State.UNKNOWN, verdict.reason)
        now_ms, windows = self._clock.now_ms(), self._windows
        return advance(row, verdict, charge, owner=self._owner(), now_ms=now_ms, windows=windows)

    async def _submit(self, unit: Advance) -> Answer:
        """The same unit again and again: the planner knows a row it has written already."""
        with stage("record"):
            for wait_s in STORAGE_RETRY_S:
                try:
                    return await self._groups.submit(unit)
                except StorageUnavailable:
                    log.warning("attempt.storage_retry", attempt_id=unit.row.attempt_id)
                    await asyncio.sleep(wait_s)
            return await self._groups.submit(unit)

    def _situation(self, row: AttemptRow) -> Situation:
        return Situation(row.state, row.record(), self._clock.now_ms(), self._windows.forward_ms)

    def _owner(self) -> Owner:
        return Owner(self._lease.worker, self._lease.epoch)
