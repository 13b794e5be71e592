"""What has become of a tap: asking, watching, coming back from the bank, giving up.

Nothing here drives an attempt. Word is left on its row, and whoever drives it (here or in another
process) looks at the row again; one that nobody drives is found by recovery within seconds.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from checkout_sdk._pb import attempt_pb2
from checkout_server import ids
from checkout_server.call import Call, Caller
from checkout_server.checkout import advance, outcome, settle, store
from checkout_server.checkout.answering import Answering
from checkout_server.checkout.attempt import AttemptRow, State
from checkout_server.checkout.group import Groups
from checkout_server.checkout.planner import Advance, Fenced, Written
from checkout_server.checkout.waiting import Watch
from checkout_server.database import Database
from checkout_server.database.clock import ServiceClock
from checkout_server.faults import Fault, invalid, not_found
from checkout_server.protobuf_time import timestamp

HEARTBEAT_S = 15.0
# A note races with the driver's own steps; each race lost shows a newer row.
MOST_RACES = 20


class Attempts:
    def __init__(
        self,
        database: Database,
        clock: ServiceClock,
        groups: Groups,
        answering: Answering,
        windows: advance.Windows,
        *,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._database = database
        self._clock = clock
        self._groups = groups
        self._answering = answering
        self._windows = windows
        self._heartbeat_s = heartbeat_s

    async def get_attempt(
        self, request: attempt_pb2.GetAttemptRequest, call: Call
    ) -> attempt_pb2.GetAttemptResponse:
        if request.attempt_id:
            row = await self._owned(request.attempt_id, call)
        else:
            row = await self._by_key(request, call)
        return attempt_pb2.GetAttemptResponse(
            attempt=self._answering.shown(row), messages=outcome.messages_of(row)
        )

    async def watch_attempt(
        self, request: attempt_pb2.WatchAttemptRequest, call: Call
    ) -> AsyncIterator[attempt_pb2.WatchAttemptResponse]:
        row = await self._owned(request.attempt_id, call)
        with self._answering.watch(row) as watch:
            row = await self._owned(request.attempt_id, call)  # what changed before we watched
            told = request.after_version
            while True:
                if row.version > told:
                    told = row.version
                    yield self._told(row)
                if row.state.is_final:
                    return
                changed, written_here = await watch.newer(row.version, timeout_s=self._heartbeat_s)
                if changed:
                    row = written_here or await self._owned(request.attempt_id, call)
                else:
                    yield self._told(None)

    async def complete_action(
        self, request: attempt_pb2.CompleteActionRequest, call: Call
    ) -> attempt_pb2.CompleteActionResponse:
        """Means "retrieve now", whatever the page that sent the buyer back may say."""
        row = await self._owned(request.attempt_id, call)
        if row.state in (State.ACTION_REQUIRED, State.UNKNOWN):
            row = await self._leave_word(row, call, cancel=False)
        return attempt_pb2.CompleteActionResponse(
            attempt=self._answering.shown(row), messages=outcome.messages_of(row)
        )

    async def cancel_attempt(
        self, request: attempt_pb2.CancelAttemptRequest, call: Call
    ) -> attempt_pb2.CancelAttemptResponse:
        row = await self._owned(request.attempt_id, call)
        if not row.state.is_final and not row.record().cancel_requested:
            row = await self._leave_word(row, call, cancel=True)
        return attempt_pb2.CancelAttemptResponse(
            attempt=self._answering.shown(row), messages=outcome.messages_of(row)
        )

    async def _leave_word(self, row: AttemptRow, call: Call, *, cancel: bool) -> AttemptRow:
        """Writes the note, then gives the driver the rest of the answer's time to act on it."""
        answer_by = self._answering.answer_by(call)
        with self._answering.watch(row) as watch:
            for _ in range(MOST_RACES):
                answer = await self._groups.submit(self._note(row, cancel=cancel))
                match answer:
                    case Written(row=noted):
                        return await self._acted_on(noted, watch, answer_by)
                    case Fenced(row=AttemptRow() as current):
                        row = current
                        if row.state.is_final:
                            return row
                    case other:
                        raise AssertionError(f"{row.attempt_id}: {other}")
        raise Fault("STORAGE_UNAVAILABLE", retry_after_ms=100)

    def _note(self, row: AttemptRow, *, cancel: bool) -> Advance:
        now_ms = self._clock.now_ms()
        if cancel and row.state is State.RESERVED:
            # No money has moved and none will: the driver, when its turn comes, finds it ended.
            owner = advance.Owner(row.worker, row.worker_epoch)
            cancelled = settle.Verdict(State.CANCELLED, "cancelled_by_buyer")
            return advance.advance(
                row, cancelled, None, owner=owner, now_ms=now_ms, windows=self._windows
            )
        record = row.record()
        record.cancel_requested |= cancel
        return advance.note(row, record, now_ms=now_ms)

    async def _acted_on(
        self, row: AttemptRow, watch: Watch[AttemptRow], answer_by: float
    ) -> AttemptRow:
        if not row.state.is_driven:
            return row
        changed, written_here = await watch.newer(
            row.version, timeout_s=answer_by - time.monotonic()
        )
        if changed:
            row = written_here or await self._answering.reread(row)
        return await self._answering.followed(row, watch, answer_by)

    async def _owned(self, attempt_id: str, call: Call) -> AttemptRow:
        merchant = ids.tag_of(attempt_id, "att")
        row = await store.by_id(self._database, merchant, attempt_id) if merchant else None
        if row is None or not _may_see(call.caller, row):
            raise not_found()
        return row

    async def _by_key(self, request: attempt_pb2.GetAttemptRequest, call: Call) -> AttemptRow:
        buyer_id = call.caller.required_buyer(request.buyer_id)
        merchant = ids.tag_of(request.idempotency_key, "tap")
        if merchant is None and not request.merchant_id:
            raise invalid("merchant_id", "is required for a key that is no tap_key of a quote")
        row = await store.by_key(
            self._database,
            merchant or call.caller.merchant_tag(request.merchant_id),
            buyer_id=buyer_id,
            idempotency_key=request.idempotency_key,
        )
        if row is None or not _may_see(call.caller, row):
            raise not_found()
        return row

    def _told(self, row: AttemptRow | None) -> attempt_pb2.WatchAttemptResponse:
        return attempt_pb2.WatchAttemptResponse(
            attempt=None if row is None else self._answering.shown(row),
            server_time=timestamp(self._clock.now_ms()),
            messages=() if row is None else outcome.messages_of(row),
        )


def _may_see(caller: Caller, row: AttemptRow) -> bool:
    """Its buyer and its platform may; a token for some merchants sees theirs only."""
    if not caller.owns(row.platform_id, row.buyer_id):
        return False
    return not caller.merchants or row.record().purchase.merchant_id in caller.merchants
