"""The addresses of a buyer: AddressService for apps, AddressLookupService for checkout.

An address never changes. Deleting hides it from the buyer's list and from quotes; an order that
names it keeps a masked copy, and the row stays for whoever ships.
"""

from __future__ import annotations

from checkout_sdk._pb.address_pb2 import Address as ShownAddress
from checkout_sdk._pb.address_pb2 import (
    DeleteAddressRequest,
    DeleteAddressResponse,
    ListAddressesRequest,
    ListAddressesResponse,
    SaveAddressRequest,
    SaveAddressResponse,
    SetDefaultAddressRequest,
    SetDefaultAddressResponse,
)
from checkout_server import ids
from checkout_server._pb.lookup_pb2 import LookupAddressRequest, LookupAddressResponse
from checkout_server._pb.stored_pb2 import AddressRecord
from checkout_server.address.masking import masked
from checkout_server.address.normalise import normalise
from checkout_server.address.store import ADDRESSES
from checkout_server.call import Call
from checkout_server.database import Database, Tx
from checkout_server.database.clock import ServiceClock
from checkout_server.database.requests import once
from checkout_server.faults import not_found
from checkout_server.saved_list import Owner, Saved


class Addresses:
    def __init__(self, db: Database, clock: ServiceClock) -> None:
        self._db = db
        self._clock = clock

    async def save_address(self, request: SaveAddressRequest, call: Call) -> SaveAddressResponse:
        owner = Owner.of(call.caller, request.buyer_id)
        now_ms = self._clock.now_ms()
        record = AddressRecord(
            typed=request.address, normalised=normalise(request.address), create_ms=now_ms
        )
        address_id = ids.new_id("adr", call.caller.platform_tag)

        async def save(tx: Tx) -> SaveAddressResponse:
            async def make() -> SaveAddressResponse:
                saved = await ADDRESSES.add(
                    tx, owner, address_id, record.SerializeToString(), default=request.make_default
                )
                return SaveAddressResponse(address=_shown(saved))

            return await once(
                tx,
                scope=owner.request_scope,
                method="SaveAddress",
                request_id=request.request_id,
                request=request,
                response_type=SaveAddressResponse,
                now_ms=now_ms,
                make=make,
            )

        return await self._db.transact(save)

    async def list_addresses(
        self, request: ListAddressesRequest, call: Call
    ) -> ListAddressesResponse:
        owner = Owner.of(call.caller, request.buyer_id)
        page, next_token = await ADDRESSES.page(
            self._db, owner, size=request.page_size, token=request.page_token
        )
        return ListAddressesResponse(addresses=map(_shown, page), next_page_token=next_token)

    async def set_default_address(
        self, request: SetDefaultAddressRequest, call: Call
    ) -> SetDefaultAddressResponse:
        owner = Owner.of(call.caller, request.buyer_id)
        saved = await self._db.transact(
            lambda tx: ADDRESSES.make_default(tx, owner, request.address_id)
        )
        if saved is None:
            raise not_found()
        return SetDefaultAddressResponse(address=_shown(saved))

    async def delete_address(
        self, request: DeleteAddressRequest, call: Call
    ) -> DeleteAddressResponse:
        owner = Owner.of(call.caller, request.buyer_id)
        if not await self._db.transact(lambda tx: ADDRESSES.remove(tx, owner, request.address_id)):
            raise not_found()
        return DeleteAddressResponse()

    async def lookup_address(
        self, request: LookupAddressRequest, call: Call
    ) -> LookupAddressResponse:
        """Platform and buyer are the request's: only our own services may make this call."""
        owner = Owner(request.platform_id, request.buyer_id)
        saved = await ADDRESSES.find(self._db, owner, request.address_id)
        if saved is None:
            raise not_found()
        normalised = AddressRecord.FromString(saved.body).normalised
        return LookupAddressResponse(
            address=_shown(saved),
            country=normalised.country,
            region=normalised.region,
            postal_code=normalised.postal_code,
        )


def _shown(saved: Saved) -> ShownAddress:
    return masked(saved.id, AddressRecord.FromString(saved.body), is_default=saved.is_default)
