"""Service time: the database's clock, so that every process agrees on what has expired.

Sampled every few seconds and carried on by the monotonic clock in between, so that asking costs
nothing and a step of the host's wall clock changes nothing. It never goes back: where a sample is
behind, time stands still until it has caught up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from checkout_server.database import Database, StorageUnavailable

SAMPLE_EVERY_S = 5.0
# A sample is ahead of the database by its round trip at most. The margin of a lease is as long as
# this (checkout/worker.py), so that two processes never both hold what one has lost.
SLOWEST_SAMPLE_S = 1.0
# The first connection of a pool can take longer than that; the next question finds it open.
MOST_FIRST_SAMPLES = 5
# Two clocks drift apart by a few milliseconds in this time; beyond it we are NOT_SERVING.
FRESH_FOR_S = 30.0

log = structlog.get_logger(__name__)


class ServiceClock:
    """`await start()` before the first `now_ms()`."""

    def __init__(
        self, database: Database, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._monotonic = monotonic
        self._sampled_ms = 0
        self._sampled_at = float("-inf")
        self._latest_ms = 0
        self._sampling: asyncio.Task[None] | None = None

    def now_ms(self) -> int:
        passed_ms = int((self._monotonic() - self._sampled_at) * 1000)
        self._latest_ms = max(self._latest_ms, self._sampled_ms + passed_ms)
        return self._latest_ms

    def fresh(self) -> bool:
        return self._monotonic() - self._sampled_at < FRESH_FOR_S

    async def start(self) -> None:
        for _ in range(MOST_FIRST_SAMPLES):
            if await self.sample():
                break
        else:
            raise StorageUnavailable("the database takes too long to tell the time")
        self._sampling = asyncio.create_task(self._keep_sampling())

    async def stop(self) -> None:
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.wait({self._sampling})

    async def sample(self) -> bool:
        """Asks the database now. False: the answer took so long that it says too little."""
        asked_at = self._monotonic()
        sampled_ms = await self._database.now_ms()
        if self._monotonic() - asked_at > SLOWEST_SAMPLE_S:
            return False
        # Made somewhere within the round trip. Counted from its beginning we are never behind, and
        # take a lease of ours for over too soon rather than too late.
        self._sampled_at = asked_at
        self._sampled_ms = sampled_ms
        return True

    async def _keep_sampling(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_EVERY_S)
            try:
                await self.sample()
            except StorageUnavailable:
                continue  # carried on by the monotonic clock; `fresh` tells when that is too long
            except Exception:
                log.exception("clock.sample_failed")
