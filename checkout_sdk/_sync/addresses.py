# Made from _async/addresses.py by proto/generate_sync.py; not to be edited.
"""A buyer's addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from checkout_sdk import _rpcs
from checkout_sdk._calls import CallOptions, new_request_id
from checkout_sdk._pb import address_pb2
from checkout_sdk._sync.transport import Transport
from checkout_sdk.page import Page
from checkout_sdk.types import Address, PostalAddress


class Addresses:
    """`buyer.addresses`. An address never changes: saving makes a new one."""

    def __init__(self, transport: Transport, buyer_id: str | None) -> None:
        self._transport = transport
        self._buyer_id = buyer_id or ""

    def save(
        self,
        address: PostalAddress,
        *,
        make_default: bool = False,
        request_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Address:
        """Checks and normalises an address by the rules of its country and keeps it. The first one
        is the default in any case.

        Raises `InvalidRequest` naming the field at fault. Safe to repeat with the same `request_id`
        (1 to 64 characters), which gives the same address again; without one each call saves anew.
        """
        request = address_pb2.SaveAddressRequest(
            request_id=request_id or new_request_id(),
            buyer_id=self._buyer_id,
            address=address.to_pb(),
            make_default=make_default,
        )
        response = self._transport.call(_rpcs.SAVE_ADDRESS, request, options)
        return Address.from_pb(response.address)

    def list(
        self,
        *,
        page_size: int = 0,
        page_token: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Page[Address]:
        """The default first, then the newest; masked. `page_size`: 50 when 0, at most 200."""
        request = address_pb2.ListAddressesRequest(
            buyer_id=self._buyer_id, page_size=page_size, page_token=page_token or ""
        )
        response = self._transport.call(_rpcs.LIST_ADDRESSES, request, options)
        return Page(
            items=[Address.from_pb(each) for each in response.addresses],
            next_page_token=response.next_page_token or None,
        )

    def iter(self, **options: Unpack[CallOptions]) -> Iterator[Address]:
        """All of them, page by page; `timeout` is for each page."""
        request = address_pb2.ListAddressesRequest(buyer_id=self._buyer_id)
        while True:
            response = self._transport.call(_rpcs.LIST_ADDRESSES, request, options)
            for address in response.addresses:
                yield Address.from_pb(address)
            request.page_token = response.next_page_token
            if not request.page_token:
                return

    def set_default(self, address_id: str, **options: Unpack[CallOptions]) -> Address:
        """The one that quotes use unless told otherwise."""
        request = address_pb2.SetDefaultAddressRequest(
            buyer_id=self._buyer_id, address_id=address_id
        )
        response = self._transport.call(_rpcs.SET_DEFAULT_ADDRESS, request, options)
        return Address.from_pb(response.address)

    def delete(self, address_id: str, **options: Unpack[CallOptions]) -> None:
        """Forgets it for future quotes. Orders that were sent there keep it."""
        request = address_pb2.DeleteAddressRequest(buyer_id=self._buyer_id, address_id=address_id)
        self._transport.call(_rpcs.DELETE_ADDRESS, request, options)
