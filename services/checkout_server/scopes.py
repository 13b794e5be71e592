"""Who may make which call, and what makes it safe to repeat: one row a call, nothing implied.

`tests/test_scopes.py` walks the protos and fails for a call without a row, for a row without a
call, and when `proto/README.md` tells it otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

PUBLIC = "onetap.checkout.v1"
INTERNAL = "onetap.internal.v1"


class Scope(StrEnum):
    """What a token is for. A buyer's acts for that buyer alone, a platform's for all it has."""

    BUYER = "buyer"
    PLATFORM = "platform"
    MERCHANT = "merchant"
    # Our own services, to each other.
    SERVICE = "service"
    # Lets a call force a mode or mark itself synthetic. Opens no call by itself.
    LOADTEST = "loadtest"


class Repeat(StrEnum):
    """Why the same call again does no harm."""

    READ = "read"
    # It says what shall be, not what to add: the second time changes nothing.
    ABSOLUTE = "absolute"
    REQUEST_ID = "request_id"
    IDEMPOTENCY_KEY = "idempotency_key"
    # The second one finds that it has changed since.
    ETAG = "etag"
    VERSION = "version"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Access:
    """Any one of `scopes` suffices."""

    scopes: frozenset[Scope]
    repeat: Repeat


_BUYER = frozenset({Scope.BUYER, Scope.PLATFORM})
_SELLER = frozenset({Scope.PLATFORM, Scope.MERCHANT})
_ANYONE = _BUYER | _SELLER
_PLATFORM = frozenset({Scope.PLATFORM})
_SERVICE = frozenset({Scope.SERVICE})

_CALLS: Mapping[str, Mapping[str, tuple[frozenset[Scope], Repeat]]] = {
    f"{PUBLIC}.CheckoutService": {
        "CreateQuote": (_BUYER, Repeat.READ),
        "BatchCreateQuotes": (_BUYER, Repeat.READ),
        "WatchOffers": (_ANYONE, Repeat.READ),
        "PlaceOrder": (_BUYER, Repeat.IDEMPOTENCY_KEY),
        "GetAttempt": (_BUYER, Repeat.READ),
        "WatchAttempt": (_BUYER, Repeat.READ),
        "CompleteAction": (_BUYER, Repeat.ABSOLUTE),
        "CancelAttempt": (_BUYER, Repeat.ABSOLUTE),
    },
    f"{PUBLIC}.OrderService": {
        "GetOrder": (_ANYONE, Repeat.READ),
        "ListOrders": (_ANYONE, Repeat.READ),
        "WatchOrder": (_ANYONE, Repeat.READ),
        "CancelOrder": (_BUYER, Repeat.ABSOLUTE),
    },
    f"{PUBLIC}.CartService": {
        "AddLine": (_BUYER, Repeat.REQUEST_ID),
        "SetLine": (_BUYER, Repeat.VERSION),
        "RemoveLine": (_BUYER, Repeat.ABSOLUTE),
        "GetCart": (_BUYER, Repeat.READ),
        "ListCarts": (_BUYER, Repeat.READ),
        "ClearCart": (_BUYER, Repeat.ABSOLUTE),
    },
    f"{PUBLIC}.AddressService": {
        "SaveAddress": (_BUYER, Repeat.REQUEST_ID),
        "ListAddresses": (_BUYER, Repeat.READ),
        "SetDefaultAddress": (_BUYER, Repeat.ABSOLUTE),
        "DeleteAddress": (_BUYER, Repeat.ABSOLUTE),
    },
    f"{PUBLIC}.WalletService": {
        "CreateSetup": (_BUYER, Repeat.REQUEST_ID),
        "SavePaymentMethod": (_BUYER, Repeat.REQUEST_ID),
        "ImportPaymentMethods": (_PLATFORM, Repeat.REQUEST_ID),
        "ListPaymentMethods": (_BUYER, Repeat.READ),
        "SetDefaultPaymentMethod": (_BUYER, Repeat.ABSOLUTE),
        "DeletePaymentMethod": (_BUYER, Repeat.ABSOLUTE),
    },
    # Entries count once by their entry_id.
    f"{PUBLIC}.FunnelService": {"Record": (_BUYER, Repeat.ABSOLUTE)},
    f"{PUBLIC}.OfferService": {
        "CreateOffer": (_SELLER, Repeat.REQUEST_ID),
        "UpdateOffer": (_SELLER, Repeat.ETAG),
        "EndOffer": (_SELLER, Repeat.ABSOLUTE),
        "GetOffer": (_SELLER, Repeat.READ),
        "ListOffers": (_SELLER, Repeat.READ),
    },
    f"{PUBLIC}.CatalogService": {
        "PutItems": (_SELLER, Repeat.ABSOLUTE),
        "GetItem": (_SELLER, Repeat.READ),
        "ListItems": (_SELLER, Repeat.READ),
        "SetStock": (_SELLER, Repeat.ABSOLUTE),
        "AdjustStock": (_SELLER, Repeat.REQUEST_ID),
    },
    f"{PUBLIC}.MerchantService": {
        # Who sells here is the platform's to say.
        "PutMerchant": (_PLATFORM, Repeat.ABSOLUTE),
        "PutDeliveryOptions": (_SELLER, Repeat.ABSOLUTE),
        "PutTaxTable": (_SELLER, Repeat.ABSOLUTE),
        "PutDiscountCode": (_SELLER, Repeat.ABSOLUTE),
    },
    f"{PUBLIC}.OrderAdminService": {
        "RefundOrder": (_SELLER, Repeat.REQUEST_ID),
        "UpdateFulfillment": (_SELLER, Repeat.REQUEST_ID),
        # Money that nobody understands is not for a seller to settle.
        "ListParkedAttempts": (_PLATFORM, Repeat.READ),
        "ResolveParkedAttempt": (_PLATFORM, Repeat.REQUEST_ID),
    },
    f"{PUBLIC}.EventService": {
        "CreateEndpoint": (_PLATFORM, Repeat.REQUEST_ID),
        "RotateSecret": (_PLATFORM, Repeat.REQUEST_ID),
        "ListEvents": (_PLATFORM, Repeat.READ),
        # Receivers know an event by its id.
        "Redeliver": (_PLATFORM, Repeat.ABSOLUTE),
        "SendTestEvent": (_PLATFORM, Repeat.REQUEST_ID),
    },
    f"{PUBLIC}.FunnelAdminService": {
        "GetFunnel": (_SELLER, Repeat.READ),
        "WatchFunnel": (_SELLER, Repeat.READ),
    },
    f"{INTERNAL}.ChargeService": {
        "Authorize": (_SERVICE, Repeat.IDEMPOTENCY_KEY),
        "Capture": (_SERVICE, Repeat.IDEMPOTENCY_KEY),
        "Void": (_SERVICE, Repeat.IDEMPOTENCY_KEY),
        "Refund": (_SERVICE, Repeat.IDEMPOTENCY_KEY),
        "Retrieve": (_SERVICE, Repeat.READ),
        "ListEvents": (_SERVICE, Repeat.READ),
        "AckEvents": (_SERVICE, Repeat.ABSOLUTE),
    },
    f"{INTERNAL}.AddressLookupService": {"LookupAddress": (_SERVICE, Repeat.READ)},
    f"{INTERNAL}.WalletLookupService": {"LookupPaymentMethod": (_SERVICE, Repeat.READ)},
}

# By full name: "onetap.checkout.v1.CheckoutService/PlaceOrder".
ACCESS: Mapping[str, Access] = {
    f"{service}/{method}": Access(scopes, repeat)
    for service, methods in _CALLS.items()
    for method, (scopes, repeat) in methods.items()
}


def markdown() -> str:
    """The public rows as `proto/README.md` shows them."""
    return "\n".join(_rows()) + "\n"


def _rows() -> Iterator[str]:
    yield "| call | scope, any of | safe to repeat by |"
    yield "|---|---|---|"
    for name, access in ACCESS.items():
        if name.startswith(f"{PUBLIC}."):
            allowed = ", ".join(scope.value for scope in Scope if scope in access.scopes)
            yield f"| {name.removeprefix(f'{PUBLIC}.')} | {allowed} | {access.repeat.value} |"
