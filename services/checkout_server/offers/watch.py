"""Live stock and countdown for any number of viewers, at the cost of one statement a tick.

What can go wrong: each viewer polls, and a viral video takes the database down; a slow phone piles
up messages; old stock is shown as news. So one poller a process looks at every watched offer at
once, and each stream has a slot that keeps the latest state of an offer and nothing older. Polling
rather than a call from the tap, because the tap may have happened in another process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from checkout_sdk._pb.offer_pb2 import OFFER_STATE_OPEN
from checkout_sdk._pb.quote_pb2 import OfferStatus, VariantStock
from checkout_server import ids
from checkout_server.database import Database, StorageUnavailable
from checkout_server.database.clock import ServiceClock
from checkout_server.faults import Fault, not_found
from checkout_server.offers import store
from checkout_server.offers.availability import availability
from checkout_server.offers.store import Sight
from checkout_server.protobuf_time import timestamp_ms

log = logging.getLogger(__name__)

# quote.proto promises at most four messages a second; a stream hears of a tick once.
POLL_S = 0.25
HEARTBEAT_S = 15.0
# A tick over that many, with a few variants each, takes some tens of milliseconds.
MOST_WATCHED = 2_000
# 5 s without a look: then a stream ends rather than go on showing old stock.
MOST_FAILED_LOOKS = 20
RETRY_AFTER_MS = 1_000


@dataclass(frozen=True, slots=True)
class Shown:
    """An offer's status without its countdown, which is counted when a message is made."""

    status: OfferStatus
    ends_ms: int


class Slot:
    """What one stream has yet to send: of each offer the latest state, however slow its reader."""

    def __init__(self, heartbeat_s: float) -> None:
        self._heartbeat_s = heartbeat_s
        self._unsent: dict[str, Shown] = {}
        self._filled = asyncio.Event()
        self._lost = False

    def put(self, shown: Shown) -> None:
        self._unsent[shown.status.offer_id] = shown
        self._filled.set()

    def lose(self) -> None:
        self._lost = True
        self._filled.set()

    async def take(self) -> list[Shown]:
        """The news, or nothing when it is time for a heartbeat."""
        try:
            async with asyncio.timeout(self._heartbeat_s):
                await self._filled.wait()
        except TimeoutError:
            return []
        if self._lost:
            raise StorageUnavailable("the watched offers cannot be read")
        self._filled.clear()
        taken, self._unsent = list(self._unsent.values()), {}
        return taken


@dataclass(slots=True)
class _Watched:
    tag: str
    sight: Sight
    shown: Shown
    slots: set[Slot] = field(default_factory=set)


class OfferChanges:
    """`join` gives a slot that is filled already and kept up to date until `leave`."""

    def __init__(
        self,
        db: Database,
        clock: ServiceClock,
        *,
        poll_s: float = POLL_S,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._db = db
        self._clock = clock
        self._poll_s = poll_s
        self._heartbeat_s = heartbeat_s
        self._watched: dict[str, _Watched] = {}
        self._poller: asyncio.Task[None] | None = None

    async def join(self, platform_id: str, offer_ids: Sequence[str]) -> Slot:
        """Anybody of the platform may watch: a card is shown to people who have not signed in."""
        known = {offer_id: self._watched.get(offer_id) for offer_id in offer_ids}
        new = await self._look_first([offer_id for offer_id, seen in known.items() if not seen])
        if len(self._watched) + len(new) > MOST_WATCHED:
            raise Fault("OVER_CAPACITY", retry_after_ms=RETRY_AFTER_MS)
        slot = Slot(self._heartbeat_s)
        for offer_id, seen in known.items():
            if (seen or new[offer_id]).sight.platform_id != platform_id:
                raise not_found()
        for offer_id, seen in known.items():
            # Another stream may have come first, or the last one left, while this one looked.
            watched = self._watched.setdefault(offer_id, seen or new[offer_id])
            watched.slots.add(slot)
            slot.put(watched.shown)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="poll watched offers")
        return slot

    def leave(self, slot: Slot) -> None:
        for watched in self._watched.values():
            watched.slots.discard(slot)
        self._watched = {
            offer_id: watched for offer_id, watched in self._watched.items() if watched.slots
        }
        if not self._watched and self._poller is not None:
            self._poller.cancel()
            self._poller = None

    async def _look_first(self, offer_ids: Sequence[str]) -> dict[str, _Watched]:
        tags = {offer_id: ids.tag_of(offer_id, "off") for offer_id in offer_ids}
        sights = await store.sights(self._db, {i: tag for i, tag in tags.items() if tag}, {})
        now_ms = self._clock.now_ms()
        found = {}
        for offer_id, tag in tags.items():
            if tag is None or offer_id not in sights:
                raise not_found()
            # Versions begin at the time, so they grow too for who comes back, here or elsewhere.
            shown = _shown(sights[offer_id], version=now_ms, now_ms=now_ms)
            found[offer_id] = _Watched(tag, sights[offer_id], shown)
        return found

    async def _poll(self) -> None:
        failed = 0
        try:
            while failed < MOST_FAILED_LOOKS:
                await asyncio.sleep(self._poll_s)
                try:
                    await self._look_again()
                    failed = 0
                except StorageUnavailable:
                    failed += 1
        except Exception:
            log.exception("looking at watched offers failed")
        self._poller = None
        for watched in self._watched.values():
            for slot in watched.slots:
                slot.lose()

    async def _look_again(self) -> None:
        looked_at = dict(self._watched)
        sights = await store.sights(
            self._db,
            {offer_id: watched.tag for offer_id, watched in looked_at.items()},
            {offer_id: watched.sight.offer.skus for offer_id, watched in looked_at.items()},
        )
        now_ms = self._clock.now_ms()
        for offer_id, sight in sights.items():
            # One that was left and joined again meanwhile was seen later than this look.
            if self._watched.get(offer_id) is looked_at[offer_id]:
                _update(looked_at[offer_id], sight, now_ms)


def _update(watched: _Watched, sight: Sight, now_ms: int) -> None:
    before = watched.shown.status.version
    watched.sight = sight
    shown = _shown(sight, version=before, now_ms=now_ms)
    if shown != watched.shown:
        shown.status.version = max(before + 1, now_ms)
        watched.shown = shown
        for slot in watched.slots:
            slot.put(shown)


def _shown(sight: Sight, *, version: int, now_ms: int) -> Shown:
    offer = sight.offer
    starts_ms, ends_ms = timestamp_ms(offer.starts_at), timestamp_ms(offer.ends_at)
    is_open = offer.state == OFFER_STATE_OPEN and not sight.suspended
    status = OfferStatus(
        offer_id=offer.offer_id,
        version=version,
        open=is_open and starts_ms <= now_ms < ends_ms,
        epoch=offer.epoch,
        variants=[
            VariantStock(
                sku=variant.stock.sku,
                price=variant.price,
                stock=availability(
                    variant.stock,
                    quota=offer.quota,
                    quota_held=sight.quota_held,
                    quota_committed=sight.quota_committed,
                ),
            )
            for variant in sight.variants
        ],
    )
    return Shown(status, ends_ms)
