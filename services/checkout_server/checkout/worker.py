"""This process's lease: the right to drive attempts, for as long as the database knows that we are
alive.

Renewed every second, dead after five; its owner stops a second before. A process that was stopped
for longer (SIGSTOP, a paused machine) comes back under a new epoch: whatever it still holds in
memory belongs to the old one and is fenced. Its own clock cannot tell it so (that of a suspended
machine has stood still): every renewal asks the database for the time, and succeeds only on a row
that is still fresh by it. On SQLite the lock on the folder is the lease: whoever holds it is the
only worker, so every other row is a dead one's.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from checkout_server.database import Database, StorageUnavailable, Tx
from checkout_server.database.clock import SLOWEST_SAMPLE_S, ServiceClock

RENEW_S = 1.0
# By the clock of whoever may take over.
LEASE_MS = 5_000
# Two processes' clocks differ by the slowest sample at most: for so long before that, the owner
# sends nothing any more, and does not renew either.
MARGIN_MS = int(SLOWEST_SAMPLE_S * 1_000)
# A dead worker's row is of use to nobody once its attempts are taken over; a day is plenty to look
# at it.
FORGET_MS = 24 * 3600 * 1000

log = structlog.get_logger(__name__)

REGISTER = """
INSERT INTO worker (worker, epoch, seen_ms) VALUES (:worker, :epoch, :now_ms)
ON CONFLICT (worker) DO UPDATE SET epoch = excluded.epoch, seen_ms = excluded.seen_ms
"""
RENEW = """
UPDATE worker SET seen_ms = :now_ms
WHERE worker = :worker AND epoch = :epoch AND seen_ms > :held_since_ms
"""
ONLY_US = "DELETE FROM worker WHERE worker <> :worker"
FORGET = "DELETE FROM worker WHERE seen_ms < :before_ms"


class Lease:
    def __init__(self, database: Database, clock: ServiceClock, worker: str) -> None:
        self.worker = worker
        self.epoch = 0
        self._database = database
        self._clock = clock
        self._ends_ms = 0
        self._renewing: asyncio.Task[None] | None = None

    @property
    def ends_ms(self) -> int:
        """Nothing of ours may reach the provider after this: somebody else may have taken over."""
        return self._ends_ms

    @property
    def held(self) -> bool:
        return self._clock.now_ms() < self._ends_ms

    @property
    def alive_since_ms(self) -> int:
        """Workers seen before this are dead."""
        return self._clock.now_ms() - LEASE_MS

    async def start(self) -> None:
        await self._register()
        self._renewing = asyncio.create_task(self._renew_for_ever(), name="renew lease")

    async def stop(self, *, left: int = 0) -> None:
        """Gives the lease up, so that nobody has to wait for it to run out. With attempts `left`
        that we still drive it does run out: nobody may begin with them while we are in the midst
        of them."""
        self._ends_ms = 0
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})
        if left == 0:
            with suppress(StorageUnavailable):  # then it runs out
                await self._database.transact(self._leave)

    async def renew(self) -> None:
        """One renewal; a new epoch where the lease has run out."""
        if not await self._clock.sample():
            return  # what time it is cannot be told: the lease stays as long as it is
        now_ms = self._clock.now_ms()

        async def body(tx: Tx) -> int:
            return await tx.run(
                RENEW,
                worker=self.worker,
                epoch=self.epoch,
                now_ms=now_ms,
                held_since_ms=now_ms - LEASE_MS + MARGIN_MS,
            )

        if await self._database.transact(body):
            self._ends_ms = now_ms + LEASE_MS - MARGIN_MS
        else:
            log.warning("lease.lost", worker=self.worker, epoch=self.epoch)
            await self._register()

    async def _leave(self, tx: Tx) -> None:
        await tx.run("DELETE FROM worker WHERE worker = :worker", worker=self.worker)

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self.renew()
            except StorageUnavailable:
                log.warning("lease.storage_unavailable", worker=self.worker, epoch=self.epoch)
            except Exception:
                log.exception("lease.not_renewed", worker=self.worker, epoch=self.epoch)

    async def _register(self) -> None:
        now_ms, epoch = self._clock.now_ms(), self.epoch + 1

        async def body(tx: Tx) -> None:
            await tx.run(REGISTER, worker=self.worker, epoch=epoch, now_ms=now_ms)
            await tx.run(FORGET, before_ms=now_ms - FORGET_MS)
            if self._database.single_process:
                await tx.run(ONLY_US, worker=self.worker)

        await self._database.transact(body)
        self.epoch, self._ends_ms = epoch, now_ms + LEASE_MS - MARGIN_MS
