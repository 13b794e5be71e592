# Made from _async/admin.py by proto/generate_sync.py; not to be edited.
"""What sellers and the platform do: merchants, items, stock, offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Unpack

from checkout_sdk import _requests, _rpcs
from checkout_sdk._calls import CallOptions, new_request_id
from checkout_sdk._pb import item_pb2, merchant_pb2, offer_pb2
from checkout_sdk._sync.transport import Transport
from checkout_sdk.options import OfferCall
from checkout_sdk.seller import (
    DeliveryOption,
    DiscountCode,
    Item,
    Merchant,
    Offer,
    Stock,
    StockedItem,
    TaxRate,
)


class Admin:
    """`checkout.admin`. Every method is safe to repeat: it is absolute, or takes a `request_id` (1
    to 64 characters) that gives the first answer again; without one each call counts anew."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def put_merchant(self, merchant: Merchant, **options: Unpack[CallOptions]) -> Merchant:
        """Creates or replaces. The currency cannot change: CURRENCY_FIXED."""
        request = merchant_pb2.PutMerchantRequest(merchant=merchant.to_pb())
        response = self._transport.call(_rpcs.PUT_MERCHANT, request, options)
        return Merchant.from_pb(response.merchant)

    def put_delivery_options(
        self,
        merchant_id: str,
        delivery_options: Iterable[DeliveryOption],
        **options: Unpack[CallOptions],
    ) -> Sequence[DeliveryOption]:
        """Replaces the whole list, at most 20, in the order to show them."""
        request = merchant_pb2.PutDeliveryOptionsRequest(
            merchant_id=merchant_id, delivery_options=[each.to_pb() for each in delivery_options]
        )
        response = self._transport.call(_rpcs.PUT_DELIVERY_OPTIONS, request, options)
        return [DeliveryOption.from_pb(each) for each in response.delivery_options]

    def put_tax_table(
        self, merchant_id: str, rates: Iterable[TaxRate], **options: Unpack[CallOptions]
    ) -> Sequence[TaxRate]:
        """Replaces the whole table, at most 100 rows. A place without a row pays no tax."""
        request = merchant_pb2.PutTaxTableRequest(
            merchant_id=merchant_id, rates=[each.to_pb() for each in rates]
        )
        response = self._transport.call(_rpcs.PUT_TAX_TABLE, request, options)
        return [TaxRate.from_pb(each) for each in response.rates]

    def put_discount_code(
        self, merchant_id: str, discount_code: DiscountCode, **options: Unpack[CallOptions]
    ) -> DiscountCode:
        """Creates or replaces one code; uses already counted stay counted."""
        request = merchant_pb2.PutDiscountCodeRequest(
            merchant_id=merchant_id, discount_code=discount_code.to_pb()
        )
        response = self._transport.call(_rpcs.PUT_DISCOUNT_CODE, request, options)
        return DiscountCode.from_pb(response.discount_code)

    def put_items(
        self, merchant_id: str, items: Iterable[Item], **options: Unpack[CallOptions]
    ) -> Sequence[Item]:
        """Creates or replaces items. Sent at most 100 and 48 KiB at a time; each such batch is all
        or none, so after an error send all of them again. `timeout` is for each batch."""
        written: list[Item] = []
        messages: Iterable[item_pb2.Item] = (item.to_pb() for item in items)
        for batch in _requests.batches(messages, _requests.MOST_ITEMS):
            request = item_pb2.PutItemsRequest(merchant_id=merchant_id, items=batch)
            response = self._transport.call(_rpcs.PUT_ITEMS, request, options)
            written += [Item.from_pb(each) for each in response.items]
        return written

    def get_item(self, merchant_id: str, sku: str, **options: Unpack[CallOptions]) -> StockedItem:
        """An item and how many there are."""
        request = item_pb2.GetItemRequest(merchant_id=merchant_id, sku=sku)
        response = self._transport.call(_rpcs.GET_ITEM, request, options)
        return StockedItem.from_pb(response)

    def iter_items(self, merchant_id: str, **options: Unpack[CallOptions]) -> Iterator[Item]:
        """All items by sku, page by page; `timeout` is for each page."""
        request = item_pb2.ListItemsRequest(merchant_id=merchant_id)
        while True:
            response = self._transport.call(_rpcs.LIST_ITEMS, request, options)
            for item in response.items:
                yield Item.from_pb(item)
            request.page_token = response.next_page_token
            if not request.page_token:
                return

    def set_stock(
        self, merchant_id: str, sku: str, on_hand: int, **options: Unpack[CallOptions]
    ) -> Stock:
        """Sets how many are on hand. Held and committed units stay so: below them it raises
        `PreconditionFailed` with STOCK_BELOW_HELD."""
        request = item_pb2.SetStockRequest(merchant_id=merchant_id, sku=sku, on_hand=on_hand)
        response = self._transport.call(_rpcs.SET_STOCK, request, options)
        return Stock.from_pb(response.stock)

    def adjust_stock(
        self,
        merchant_id: str,
        sku: str,
        delta: int,
        *,
        reason: str | None = None,
        request_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Stock:
        """Adds a receipt, or takes off a loss."""
        request = item_pb2.AdjustStockRequest(
            request_id=request_id or new_request_id(),
            merchant_id=merchant_id,
            sku=sku,
            delta=delta,
            reason=reason or "",
        )
        response = self._transport.call(_rpcs.ADJUST_STOCK, request, options)
        return Stock.from_pb(response.stock)

    def create_offer(
        self, merchant_id: str, *, request_id: str | None = None, **terms: Unpack[OfferCall]
    ) -> Offer:
        """Publishes an offer; see `OfferTerms`. `title`, `skus` and `ends_at` are required."""
        request = offer_pb2.CreateOfferRequest(
            request_id=request_id or new_request_id(),
            offer=_requests.offer("", merchant_id, terms),
        )
        response = self._transport.call(_rpcs.CREATE_OFFER, request, terms)
        return Offer.from_pb(response.offer)

    def update_offer(
        self, offer_id: str, *, etag: str | None = None, **terms: Unpack[OfferCall]
    ) -> Offer:
        """Changes the terms that are named, and no others. Quotes made before are quoted again at
        the tap. With `etag`, raises `StaleEtag` when the offer has changed since it was read."""
        request = offer_pb2.UpdateOfferRequest(
            offer=_requests.offer(offer_id, "", terms, etag or ""),
            update_mask=_requests.offer_mask(terms),
        )
        response = self._transport.call(_rpcs.UPDATE_OFFER, request, terms)
        return Offer.from_pb(response.offer)

    def end_offer(self, offer_id: str, **options: Unpack[CallOptions]) -> Offer:
        """The kill switch: no tap from now on, quotes in flight included."""
        request = offer_pb2.EndOfferRequest(offer_id=offer_id)
        response = self._transport.call(_rpcs.END_OFFER, request, options)
        return Offer.from_pb(response.offer)

    def get_offer(self, offer_id: str, **options: Unpack[CallOptions]) -> Offer:
        """An offer as it is now, with the `etag` to update it by."""
        request = offer_pb2.GetOfferRequest(offer_id=offer_id)
        response = self._transport.call(_rpcs.GET_OFFER, request, options)
        return Offer.from_pb(response.offer)

    def iter_offers(
        self, merchant_id: str, *, open_only: bool = False, **options: Unpack[CallOptions]
    ) -> Iterator[Offer]:
        """All offers, the newest first, page by page; `timeout` is for each page."""
        request = offer_pb2.ListOffersRequest(merchant_id=merchant_id, open_only=open_only)
        while True:
            response = self._transport.call(_rpcs.LIST_OFFERS, request, options)
            for offer in response.offers:
                yield Offer.from_pb(offer)
            request.page_token = response.next_page_token
            if not request.page_token:
                return
