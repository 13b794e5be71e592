"""One step of an attempt: ask the provider, then make what it said durable.

Asking is fenced by the lease, writing by the row's version. What cannot be written now is
written again until the database answers, because the money has moved.
"""

from __future__ import annotations

import asyncio

import structlog

from checkout_server._pb import charge_pb2
from checkout_server.checkout import settle
from checkout_server.checkout.advance import Owner, Windows, advance, claim, setback
from checkout_server.checkout.attempt import AttemptRow, State, may_become
from checkout_server.checkout.conversation import Conversation
from checkout_server.checkout.group import Groups
from checkout_server.checkout.planner import Advance, Answer, Fenced, Written
from checkout_server.checkout.settle import Situation, Verdict
from checkout_server.checkout.stages import stage
from checkout_server.checkout.worker import Lease
from checkout_server.database import StorageUnavailable
from checkout_server.database.clock import ServiceClock

log = structlog.get_logger(__name__)

# A database that does not take T2 is asked again while the money waits. After that recovery goes on
# from the row: it meets the attempt again within seconds, and the provider answers the same key the
# same way.
STORAGE_RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)
# Ends that somebody has to know of: money that was given back, or that nobody is sure of.
ALARMS = frozenset({State.PARKED, State.COMPENSATED})


class TakenOver(Exception):
    """Somebody else drives this attempt now: nothing more of it is ours to do."""


class Steps:
    def __init__(
        self,
        clock: ServiceClock,
        groups: Groups,
        lease: Lease,
        conversation: Conversation,
        windows: Windows,
    ) -> None:
        self._clock = clock
        self._groups = groups
        self._lease = lease
        self._conversation = conversation
        self._windows = windows

    async def claim(self, row: AttemptRow) -> AttemptRow:
        """Ours from now on, as it stands. Raises TakenOver when somebody was faster."""
        unit = claim(row, owner=self._owner(), now_ms=self._clock.now_ms())
        answer = await self._groups.submit(unit)
        if not isinstance(answer, Written):
            raise TakenOver
        return answer.row

    async def next(self, row: AttemptRow) -> AttemptRow:
        """The row after one step; the same row while the buyer is still at the bank."""
        if row.state is State.RESERVED:
            charging = await self._write(row, self._leave_line(row), None)
            return await self.next(charging) if charging.state is State.CHARGING else charging
        with stage("charge"):
            verdict, charge = await self._conversation.hold(self._situation(row), row.worker_epoch)
        if verdict.state is row.state is State.ACTION_REQUIRED:
            return row
        return await self._write(row, settle.give_up(verdict, row.state, row.tries), charge)

    async def set_back(self, row: AttemptRow) -> None:
        """A step broke on our side: later again, and in the end a person's."""
        unit = setback(row, owner=self._owner(), now_ms=self._clock.now_ms())
        await self._submit(unit)
        self._tell(unit.row, "internal")

    def _leave_line(self, row: AttemptRow) -> Verdict:
        """Leaving the line is one commit before the POST, and only within the forward window."""
        if self._situation(row).late:
            return Verdict(State.EXPIRED, "queued_too_long")
        return Verdict(State.CHARGING)

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
                        self._tell(written, verdict.reason)
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
            verdict = Verdict(State.UNKNOWN, verdict.reason, verdict.compensate)
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

    def _tell(self, row: AttemptRow, reason: str) -> None:
        if row.state in ALARMS:
            log.error(f"attempt.{row.state.lower()}", attempt_id=row.attempt_id, reason=reason)

    def _situation(self, row: AttemptRow) -> Situation:
        return Situation(row.state, row.record(), self._clock.now_ms(), self._windows.forward_ms)

    def _owner(self) -> Owner:
        return Owner(self._lease.worker, self._lease.epoch)
