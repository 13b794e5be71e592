"""Takes over what a dead worker left, and what of our own has lost its task, once a second.

The only knowledge needed is in the row: the driver goes on from its state by the code that would
have run anyway. Two processes may find the same orphan; the claim is fenced by version, so one of
them gets it.
"""

from __future__ import annotations

import asyncio

import structlog

from checkout_server.checkout import store
from checkout_server.checkout.drive import Driver
from checkout_server.checkout.worker import Lease
from checkout_server.database import Database, StorageUnavailable
from checkout_server.orders.operations import Operations

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
# So many a look: a crash with thousands in flight is worked off over seconds, beside the live taps.
MOST_AT_ONCE = 200


class Recovery:
    def __init__(
        self, database: Database, lease: Lease, driver: Driver, operations: Operations
    ) -> None:
        self._database = database
        self._lease = lease
        self._driver = driver
        self._operations = operations
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._look_for_ever(), name="recovery")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def look(self) -> None:
        """One look: resumes every orphan it finds, every attempt of ours that no task drives, and
        every movement of money that is due. None of the three waits for trouble with another."""
        if not self._lease.held:
            return
        for part in (self._look_for_orphans, self._look_for_strays, self._operations.look):
            try:
                await part()
            except StorageUnavailable:
                log.warning("recovery.storage_unavailable", operation=part.__name__)
            except Exception:
                log.exception("recovery.look_failed", operation=part.__name__)

    async def _look_for_orphans(self) -> None:
        found = await store.orphans(
            self._database,
            alive_since_ms=self._lease.alive_since_ms,
            most=MOST_AT_ONCE,
        )
        for row in found:
            self._driver.resume(row)

    async def _look_for_strays(self) -> None:
        """Attempts of ours without a task: T1's acknowledgement was lost, or the task gave up on
        storage."""
        for merchant, attempt_id in await store.owned(
            self._database, self._lease.worker, untouched_since_ms=self._lease.alive_since_ms
        ):
            if not self._driver.drives(attempt_id):
                row = await store.by_id(self._database, merchant, attempt_id)
                if row is not None:
                    self._driver.resume(row)

    async def _look_for_ever(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)
