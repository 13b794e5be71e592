"""The calls this SDK makes, typed. A test compares the table with the services' descriptors.

Every one of them may be sent again: it reads, is absolute, or carries a key made outside the retry
loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from checkout_sdk._pb import (
    address_pb2,
    attempt_pb2,
    item_pb2,
    merchant_pb2,
    offer_pb2,
    order_pb2,
    quote_pb2,
    wallet_pb2,
)

PACKAGE = "onetap.checkout.v1"

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Rpc(Generic[Request, Response]):
    name: str
    """Service and method: `OfferService/GetOffer`."""
    request: type[Request]
    response: type[Response]

    @property
    def path(self) -> str:
        return f"/{PACKAGE}.{self.name}"


CREATE_QUOTE = Rpc(
    "CheckoutService/CreateQuote", quote_pb2.CreateQuoteRequest, quote_pb2.CreateQuoteResponse
)
BATCH_CREATE_QUOTES = Rpc(
    "CheckoutService/BatchCreateQuotes",
    quote_pb2.BatchCreateQuotesRequest,
    quote_pb2.BatchCreateQuotesResponse,
)
WATCH_OFFERS = Rpc(
    "CheckoutService/WatchOffers", quote_pb2.WatchOffersRequest, quote_pb2.WatchOffersResponse
)
PLACE_ORDER = Rpc(
    "CheckoutService/PlaceOrder", attempt_pb2.PlaceOrderRequest, attempt_pb2.PlaceOrderResponse
)
GET_ATTEMPT = Rpc(
    "CheckoutService/GetAttempt", attempt_pb2.GetAttemptRequest, attempt_pb2.GetAttemptResponse
)
WATCH_ATTEMPT = Rpc(
    "CheckoutService/WatchAttempt",
    attempt_pb2.WatchAttemptRequest,
    attempt_pb2.WatchAttemptResponse,
)
COMPLETE_ACTION = Rpc(
    "CheckoutService/CompleteAction",
    attempt_pb2.CompleteActionRequest,
    attempt_pb2.CompleteActionResponse,
)
CANCEL_ATTEMPT = Rpc(
    "CheckoutService/CancelAttempt",
    attempt_pb2.CancelAttemptRequest,
    attempt_pb2.CancelAttemptResponse,
)

GET_ORDER = Rpc("OrderService/GetOrder", order_pb2.GetOrderRequest, order_pb2.GetOrderResponse)
LIST_ORDERS = Rpc(
    "OrderService/ListOrders", order_pb2.ListOrdersRequest, order_pb2.ListOrdersResponse
)
WATCH_ORDER = Rpc(
    "OrderService/WatchOrder", order_pb2.WatchOrderRequest, order_pb2.WatchOrderResponse
)
CANCEL_ORDER = Rpc(
    "OrderService/CancelOrder", order_pb2.CancelOrderRequest, order_pb2.CancelOrderResponse
)

SAVE_ADDRESS = Rpc(
    "AddressService/SaveAddress", address_pb2.SaveAddressRequest, address_pb2.SaveAddressResponse
)
LIST_ADDRESSES = Rpc(
    "AddressService/ListAddresses",
    address_pb2.ListAddressesRequest,
    address_pb2.ListAddressesResponse,
)
SET_DEFAULT_ADDRESS = Rpc(
    "AddressService/SetDefaultAddress",
    address_pb2.SetDefaultAddressRequest,
    address_pb2.SetDefaultAddressResponse,
)
DELETE_ADDRESS = Rpc(
    "AddressService/DeleteAddress",
    address_pb2.DeleteAddressRequest,
    address_pb2.DeleteAddressResponse,
)

SAVE_PAYMENT_METHOD = Rpc(
    "WalletService/SavePaymentMethod",
    wallet_pb2.SavePaymentMethodRequest,
    wallet_pb2.SavePaymentMethodResponse,
)
LIST_PAYMENT_METHODS = Rpc(
    "WalletService/ListPaymentMethods",
    wallet_pb2.ListPaymentMethodsRequest,
    wallet_pb2.ListPaymentMethodsResponse,
)
SET_DEFAULT_PAYMENT_METHOD = Rpc(
    "WalletService/SetDefaultPaymentMethod",
    wallet_pb2.SetDefaultPaymentMethodRequest,
    wallet_pb2.SetDefaultPaymentMethodResponse,
)
DELETE_PAYMENT_METHOD = Rpc(
    "WalletService/DeletePaymentMethod",
    wallet_pb2.DeletePaymentMethodRequest,
    wallet_pb2.DeletePaymentMethodResponse,
)

PUT_MERCHANT = Rpc(
    "MerchantService/PutMerchant", merchant_pb2.PutMerchantRequest, merchant_pb2.PutMerchantResponse
)
PUT_DELIVERY_OPTIONS = Rpc(
    "MerchantService/PutDeliveryOptions",
    merchant_pb2.PutDeliveryOptionsRequest,
    merchant_pb2.PutDeliveryOptionsResponse,
)
PUT_TAX_TABLE = Rpc(
    "MerchantService/PutTaxTable", merchant_pb2.PutTaxTableRequest, merchant_pb2.PutTaxTableResponse
)
PUT_DISCOUNT_CODE = Rpc(
    "MerchantService/PutDiscountCode",
    merchant_pb2.PutDiscountCodeRequest,
    merchant_pb2.PutDiscountCodeResponse,
)

PUT_ITEMS = Rpc("CatalogService/PutItems", item_pb2.PutItemsRequest, item_pb2.PutItemsResponse)
GET_ITEM = Rpc("CatalogService/GetItem", item_pb2.GetItemRequest, item_pb2.GetItemResponse)
LIST_ITEMS = Rpc("CatalogService/ListItems", item_pb2.ListItemsRequest, item_pb2.ListItemsResponse)
SET_STOCK = Rpc("CatalogService/SetStock", item_pb2.SetStockRequest, item_pb2.SetStockResponse)
ADJUST_STOCK = Rpc(
    "CatalogService/AdjustStock", item_pb2.AdjustStockRequest, item_pb2.AdjustStockResponse
)

CREATE_OFFER = Rpc(
    "OfferService/CreateOffer", offer_pb2.CreateOfferRequest, offer_pb2.CreateOfferResponse
)
UPDATE_OFFER = Rpc(
    "OfferService/UpdateOffer", offer_pb2.UpdateOfferRequest, offer_pb2.UpdateOfferResponse
)
END_OFFER = Rpc("OfferService/EndOffer", offer_pb2.EndOfferRequest, offer_pb2.EndOfferResponse)
GET_OFFER = Rpc("OfferService/GetOffer", offer_pb2.GetOfferRequest, offer_pb2.GetOfferResponse)
LIST_OFFERS = Rpc(
    "OfferService/ListOffers", offer_pb2.ListOffersRequest, offer_pb2.ListOffersResponse
)
