"""This process's lease: the right to drive attempts, for as long as the database knows that we are
alive.

Renewed every second, dead after five. A process that was stopped for longer (SIGSTOP, a paused
machine) comes back under a new epoch: whatever it still holds in memory belongs to the old one and
is fenced. On SQLite the lock on the folder is the lease: whoever holds it is the only worker, so
every other row is a dead one's.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from checkout_server.database import Database, StorageUnavailable, Tx
from checkout_server.database.clock import ServiceClock

RENEW_S = 1.0
LEASE_MS = 5_000
# A dead worker's row is of use to nobody once its attempts are taken over; a day is plenty to look
# at it.
FORGET_MS = 24 * 3600 * 1000

log = structlog.get_logger(__name__)

REGISTER = """
INSERT INTO worker (worker, epoch, seen_ms) VALUES (:worker, :epoch, :now_ms)
ON CONFLICT (worker) DO UPDATE SET epoch = excluded.epoch, seen_ms = excluded.seen_ms
"""
RENEW = "UPDATE worker SET seen_ms = :now_ms WHERE worker = :worker AND epoch = :epoch"
ONLY_US = "DELETE FROM worker WHERE worker <> :worker"
FORGET = "DELETE FROM worker WHERE seen_ms < :before_ms"


class Lease:
    def __init__(self, database: Database, clock: ServiceClock, worker: str) -> None:
        self.worker = worker
        self.epoch = 0
        self._database = database
        self._clock = clock
        self._seen_ms = 0
        self._renewing: asyncio.Task[None] | None = None

    @property
    def ends_ms(self) -> int:
        """Nothing of ours may reach the provider after this: somebody else may have taken over."""
        return self._seen_ms + LEASE_MS

    @property
    def held(self) -> bool:
        return self._clock.now_ms() < self.ends_ms

    @property
    def alive_since_ms(self) -> int:
        """Workers seen before this are dead."""
        return self._clock.now_ms() - LEASE_MS

    async def start(self) -> None:
        await self._register()
        self._renewing = asyncio.create_task(self._renew_for_ever(), name="renew lease")

    async def stop(self) -> None:
        """Gives the lease up, so that nobody has to wait for it to run out."""
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing
        with suppress(StorageUnavailable):
            await self._database.transact(self._leave)

    async def _leave(self, tx: Tx) -> None:
        await tx.run("DELETE FROM worker WHERE worker = :worker", worker=self.worker)

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with suppress(StorageUnavailable):
                await self._renew()

    async def _renew(self) -> None:
        now_ms = self._clock.now_ms()
        if now_ms >= self.ends_ms:
            log.warning("lease.lost", worker=self.worker, epoch=self.epoch)
            await self._register()
            return

        async def body(tx: Tx) -> int:
            return await tx.run(RENEW, worker=self.worker, epoch=self.epoch, now_ms=now_ms)

        if await self._database.transact(body):
            self._seen_ms = now_ms
        else:
            await self._register()

    async def _register(self) -> None:
        now_ms, epoch = self._clock.now_ms(), self.epoch + 1

        async def body(tx: Tx) -> None:
            await tx.run(REGISTER, worker=self.worker, epoch=epoch, now_ms=now_ms)
            await tx.run(FORGET, before_ms=now_ms - FORGET_MS)
            if self._database.single_process:
                await tx.run(ONLY_US, worker=self.worker)

        await self._database.transact(body)
        self.epoch, self._seen_ms = epoch, now_ms
