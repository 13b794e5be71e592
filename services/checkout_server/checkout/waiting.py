"""Waiting for a row to change: joiners of another's attempt, watchers of an attempt or an order.

What is written in this process is told at once, with the row. What another process writes is polled
for: one statement a process for all rows waited for, every 25 ms while somebody has waited less
than a second (a tap is answered within 800 ms), every 250 ms after that. LISTEN/NOTIFY would
serialise every commit of the database.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Generic, Self, TypeVar

import structlog

from checkout_server.database import Database, StorageUnavailable

log = structlog.get_logger(__name__)

RowT = TypeVar("RowT")

EAGER_S = 1.0
EAGER_POLL_S = 0.025
PATIENT_POLL_S = 0.25

ATTEMPT_VERSIONS = """
SELECT attempt_id, version FROM attempt WHERE merchant = ANY(:merchants) AND attempt_id = ANY(:ids)
"""
ORDER_VERSIONS = """
SELECT order_id, version FROM orders WHERE merchant = ANY(:merchants) AND order_id = ANY(:ids)
"""


class Waiting(Generic[RowT]):
    """The watches of one table (`attempt` or `orders`) in this process."""

    def __init__(self, database: Database, versions: str) -> None:
        self._database = database
        self._versions = versions
        self._watches: dict[str, set[Watch[RowT]]] = {}
        self._poller: asyncio.Task[None] | None = None

    def watch(self, merchant: str, row_id: str) -> Watch[RowT]:
        """Begin to watch before you read the row: then no change between the two is missed."""
        return Watch(self, merchant, row_id)

    def changed(self, row_id: str, version: int, row: RowT | None) -> None:
        for watch in self._watches.get(row_id, ()):
            watch._hear(version, row)

    def _join(self, watch: Watch[RowT]) -> None:
        self._watches.setdefault(watch.row_id, set()).add(watch)
        if not self._database.single_process and self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="poll rows waited for")

    def _leave(self, watch: Watch[RowT]) -> None:
        watches = self._watches[watch.row_id]
        watches.discard(watch)
        if not watches:
            del self._watches[watch.row_id]

    async def _poll(self) -> None:
        try:
            while self._watches:
                newest = max(watch.started for some in self._watches.values() for watch in some)
                eager = time.monotonic() - newest < EAGER_S
                await asyncio.sleep(EAGER_POLL_S if eager else PATIENT_POLL_S)
                try:
                    await self._look()
                except StorageUnavailable:
                    continue  # asked again: every waiter has a limit of its own
                except Exception:
                    log.exception("waiting.look_failed")
                    await asyncio.sleep(PATIENT_POLL_S)
        finally:
            self._poller = None

    async def _look(self) -> None:
        ids = list(self._watches)
        merchants = {watch.merchant for some in self._watches.values() for watch in some}
        if not ids:
            return
        for row_id, version in await self._database.fetch(
            self._versions, merchants=list(merchants), ids=ids
        ):
            self.changed(row_id, version, None)


class Watch(Generic[RowT]):
    """One row, watched between `with` and its end."""

    def __init__(self, waiting: Waiting[RowT], merchant: str, row_id: str) -> None:
        self.merchant = merchant
        self.row_id = row_id
        self.started = time.monotonic()
        self._waiting = waiting
        self._version = 0
        self._row: RowT | None = None
        self._heard = asyncio.Event()

    def __enter__(self) -> Self:
        self._waiting._join(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waiting._leave(self)

    async def newer(self, version: int, *, timeout_s: float) -> tuple[bool, RowT | None]:
        """Whether there is a newer version by then, and its row where this process wrote it."""
        if self._version < version:
            # The poll finds the version that the waiter has, too: that is no news.
            self._version, self._row = version, None
        if self._version == version and timeout_s > 0:
            self._heard.clear()
            heard = asyncio.ensure_future(self._heard.wait())
            try:
                await asyncio.wait({heard}, timeout=timeout_s)
            finally:
                heard.cancel()
        return self._version > version, self._row if self._version > version else None

    def _hear(self, version: int, row: RowT | None) -> None:
        if version > self._version:
            self._version, self._row = version, row
            self._heard.set()
