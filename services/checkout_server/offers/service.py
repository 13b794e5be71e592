"""OfferService and the live card: what a platform publishes with a video.

Any change of an offer bumps its epoch. Quotes carry the epoch they were made of, and the tap
compares, so that EndOffer stops quotes in flight as well.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from checkout_sdk._pb.offer_pb2 import (
    OFFER_STATE_ENDED,
    OFFER_STATE_OPEN,
    CreateOfferRequest,
    CreateOfferResponse,
    EndOfferRequest,
    EndOfferResponse,
    GetOfferRequest,
    GetOfferResponse,
    ListOffersRequest,
    ListOffersResponse,
    Offer,
    UpdateOfferRequest,
    UpdateOfferResponse,
)
from checkout_sdk._pb.quote_pb2 import OfferStatus, WatchOffersRequest, WatchOffersResponse
from checkout_server import ids
from checkout_server.call import Call, Caller
from checkout_server.database import Database, Reader, Tx
from checkout_server.database.clock import ServiceClock
from checkout_server.database.requests import once
from checkout_server.faults import Fault, not_found
from checkout_server.merchants.store import merchant, merchant_of
from checkout_server.offers import store
from checkout_server.offers.terms import check_terms
from checkout_server.offers.watch import OfferChanges, Shown
from checkout_server.paging import DEFAULT_PAGE_SIZE, dated_position_of, page_token
from checkout_server.protobuf_time import duration, timestamp, timestamp_ms


class Offers:
    def __init__(self, db: Database, clock: ServiceClock, changes: OfferChanges) -> None:
        self._db = db
        self._clock = clock
        self._changes = changes

    async def create_offer(self, request: CreateOfferRequest, call: Call) -> CreateOfferResponse:
        now_ms = self._clock.now_ms()
        tag = call.caller.merchant_tag(request.offer.merchant_id)
        offer = _new_offer(request.offer, ids.new_id("off", tag), now_ms)

        async def create(tx: Tx) -> CreateOfferResponse:
            row = await merchant_of(tx, call.caller, offer.merchant_id)

            async def make() -> CreateOfferResponse:
                await check_terms(tx, row, offer, now_ms)
                await store.insert_offer(tx, tag, call.caller.platform, offer)
                return CreateOfferResponse(offer=offer)

            return await once(
                tx,
                scope=tag,
                method="CreateOffer",
                request_id=request.request_id,
                request=request,
                response_type=CreateOfferResponse,
                now_ms=now_ms,
                make=make,
            )

        return await self._db.transact(create)

    async def update_offer(self, request: UpdateOfferRequest, call: Call) -> UpdateOfferResponse:
        now_ms = self._clock.now_ms()

        async def update(tx: Tx) -> Offer:
            tag, before = await _owned(tx, call.caller, request.offer.offer_id, lock=True)
            if request.offer.etag not in ("", before.etag):
                raise Fault("STALE_ETAG")
            after = _merged(before, request, now_ms)
            if after == before:
                return before
            row = await merchant(tx, tag)
            if row is None:
                raise AssertionError(f"{before.offer_id} has no merchant")
            await check_terms(tx, row, after, now_ms)
            _bump(after, now_ms)
            await store.update_offer(tx, tag, after)
            return after

        return UpdateOfferResponse(offer=await self._db.transact(update))

    async def end_offer(self, request: EndOfferRequest, call: Call) -> EndOfferResponse:
        async def end(tx: Tx) -> Offer:
            tag, offer = await _owned(tx, call.caller, request.offer_id, lock=True)
            if offer.state == OFFER_STATE_ENDED:
                return offer
            offer.state = OFFER_STATE_ENDED
            _bump(offer, self._clock.now_ms())
            await store.update_offer(tx, tag, offer)
            return offer

        return EndOfferResponse(offer=await self._db.transact(end))

    async def get_offer(self, request: GetOfferRequest, call: Call) -> GetOfferResponse:
        _, offer = await _owned(self._db, call.caller, request.offer_id)
        return GetOfferResponse(offer=offer)

    async def list_offers(self, request: ListOffersRequest, call: Call) -> ListOffersResponse:
        row = await merchant_of(self._db, call.caller, request.merchant_id)
        if request.open_only and row.merchant.suspended:
            return ListOffersResponse()
        listing = f"offers {row.tag}"
        size = request.page_size or DEFAULT_PAGE_SIZE
        offers = await store.offers_before(
            self._db,
            row.tag,
            _place(request.page_token, listing),
            limit=size + 1,
            open_at_ms=self._clock.now_ms() if request.open_only else None,
        )
        response = ListOffersResponse(offers=offers[:size])
        if len(offers) > size:
            last = offers[size - 1]
            created_ms = timestamp_ms(last.create_time)
            response.next_page_token = page_token(listing, str(created_ms), last.offer_id)
        return response

    async def watch_offers(
        self, request: WatchOffersRequest, call: Call
    ) -> AsyncGenerator[WatchOffersResponse, None]:
        slot = await self._changes.join(call.caller.platform, request.offer_ids)
        try:
            while True:
                news = await slot.take()
                now_ms = self._clock.now_ms()
                yield WatchOffersResponse(
                    offers=[_counted_down(shown, now_ms) for shown in news],
                    server_time=timestamp(now_ms),
                )
        finally:
            self._changes.leave(slot)


async def _owned(
    reader: Reader, caller: Caller, offer_id: str, *, lock: bool = False
) -> tuple[str, Offer]:
    """The offer and its tag, if this caller may manage it."""
    tag = ids.tag_of(offer_id, "off")
    row = await store.offer_row(reader, tag, offer_id, lock=lock) if tag else None
    if tag is None or row is None or row.platform_id != caller.platform:
        raise not_found()
    if caller.merchants and row.offer.merchant_id not in caller.merchants:
        raise not_found()
    return tag, row.offer


def _new_offer(given: Offer, offer_id: str, now_ms: int) -> Offer:
    offer = Offer()
    offer.CopyFrom(given)
    offer.offer_id = offer_id
    offer.state = OFFER_STATE_OPEN
    offer.epoch = 0
    offer.create_time.CopyFrom(timestamp(now_ms))
    _settle_times(offer, now_ms)
    _bump(offer, now_ms)
    return offer


def _merged(before: Offer, request: UpdateOfferRequest, now_ms: int) -> Offer:
    after = Offer()
    after.CopyFrom(before)
    request.update_mask.MergeMessage(
        request.offer, after, replace_message_field=True, replace_repeated_field=True
    )
    _settle_times(after, now_ms)
    return after


def _settle_times(offer: Offer, now_ms: int) -> None:
    """Whole milliseconds, as in the columns beside the body. Without a start it starts now."""
    starts_ms = timestamp_ms(offer.starts_at) if offer.HasField("starts_at") else now_ms
    offer.starts_at.CopyFrom(timestamp(starts_ms))
    if offer.HasField("ends_at"):
        offer.ends_at.CopyFrom(timestamp(timestamp_ms(offer.ends_at)))


def _bump(offer: Offer, now_ms: int) -> None:
    offer.epoch += 1
    offer.etag = f"e{offer.epoch}"
    offer.update_time.CopyFrom(timestamp(now_ms))


def _place(token: str, listing: str) -> tuple[int, str]:
    return dated_position_of(token, listing) if token else store.BEFORE_ALL


def _counted_down(shown: Shown, now_ms: int) -> OfferStatus:
    status = OfferStatus()
    status.CopyFrom(shown.status)
    status.ends_in.CopyFrom(duration(max(shown.ends_ms - now_ms, 0)))
    return status
