"""The fake's buyers: their addresses and payment methods, in memory."""

from __future__ import annotations

import secrets
from typing import TypeVar

from checkout_sdk._pb import address_pb2, wallet_pb2
from checkout_sdk.testing._refusal import not_found

Owned = TypeVar("Owned", address_pb2.Address, wallet_pb2.PaymentMethod)


class People:
    """Every buyer begins with a home and a card that pays; delete them to see the blockers."""

    def __init__(self) -> None:
        self._addresses: dict[str, list[address_pb2.Address]] = {}
        self._methods: dict[str, list[wallet_pb2.PaymentMethod]] = {}
        self._references: dict[str, str] = {}
        self._saved: dict[tuple[str, str], address_pb2.Address | wallet_pb2.PaymentMethod] = {}

    def addresses(self, buyer_id: str) -> list[address_pb2.Address]:
        if buyer_id not in self._addresses:
            home = address_pb2.PostalAddress(
                name="Ada Lovelace", country="US", city="Springfield", lines=["1 Main Street"]
            )
            self._addresses[buyer_id] = [_masked(home, is_default=True)]
        return self._addresses[buyer_id]

    def methods(self, buyer_id: str) -> list[wallet_pb2.PaymentMethod]:
        if buyer_id not in self._methods:
            self._methods[buyer_id] = []
            self._methods[buyer_id].append(self._method("pm_card_visa", is_default=True))
        return self._methods[buyer_id]

    def reference(self, payment_method_id: str) -> str:
        """What the provider knows the method by: decides what a charge comes to."""
        return self._references.get(payment_method_id, payment_method_id)

    def save_address(
        self, request: address_pb2.SaveAddressRequest
    ) -> address_pb2.SaveAddressResponse:
        owned = self.addresses(request.buyer_id)
        key = (request.buyer_id, request.request_id)
        if key not in self._saved:
            is_default = request.make_default or not owned
            self._saved[key] = _added(owned, _masked(request.address, is_default=is_default))
        saved = self._saved[key]
        assert isinstance(saved, address_pb2.Address)
        return address_pb2.SaveAddressResponse(address=saved)

    def list_addresses(
        self, request: address_pb2.ListAddressesRequest
    ) -> address_pb2.ListAddressesResponse:
        return address_pb2.ListAddressesResponse(addresses=self.addresses(request.buyer_id))

    def set_default_address(
        self, request: address_pb2.SetDefaultAddressRequest
    ) -> address_pb2.SetDefaultAddressResponse:
        chosen = _chosen(self.addresses(request.buyer_id), "address_id", request.address_id)
        return address_pb2.SetDefaultAddressResponse(address=chosen)

    def delete_address(
        self, request: address_pb2.DeleteAddressRequest
    ) -> address_pb2.DeleteAddressResponse:
        _dropped(self.addresses(request.buyer_id), "address_id", request.address_id)
        return address_pb2.DeleteAddressResponse()

    def save_payment_method(
        self, request: wallet_pb2.SavePaymentMethodRequest
    ) -> wallet_pb2.SavePaymentMethodResponse:
        owned = self.methods(request.buyer_id)
        key = (request.buyer_id, request.request_id)
        if key not in self._saved:
            is_default = request.make_default or not owned
            method = self._method(request.provider_reference, is_default=is_default)
            self._saved[key] = _added(owned, method)
        saved = self._saved[key]
        assert isinstance(saved, wallet_pb2.PaymentMethod)
        return wallet_pb2.SavePaymentMethodResponse(payment_method=saved)

    def list_payment_methods(
        self, request: wallet_pb2.ListPaymentMethodsRequest
    ) -> wallet_pb2.ListPaymentMethodsResponse:
        return wallet_pb2.ListPaymentMethodsResponse(payment_methods=self.methods(request.buyer_id))

    def set_default_payment_method(
        self, request: wallet_pb2.SetDefaultPaymentMethodRequest
    ) -> wallet_pb2.SetDefaultPaymentMethodResponse:
        methods = self.methods(request.buyer_id)
        chosen = _chosen(methods, "payment_method_id", request.payment_method_id)
        return wallet_pb2.SetDefaultPaymentMethodResponse(payment_method=chosen)

    def delete_payment_method(
        self, request: wallet_pb2.DeletePaymentMethodRequest
    ) -> wallet_pb2.DeletePaymentMethodResponse:
        methods = self.methods(request.buyer_id)
        _dropped(methods, "payment_method_id", request.payment_method_id)
        return wallet_pb2.DeletePaymentMethodResponse()

    def _method(self, reference: str, *, is_default: bool) -> wallet_pb2.PaymentMethod:
        method = wallet_pb2.PaymentMethod(
            payment_method_id=f"pmt_{secrets.token_hex(15)}",
            kind="card",
            brand="visa",
            last4="4242",
            expiry_month=12,
            expiry_year=2031,
            is_default=is_default,
        )
        self._references[method.payment_method_id] = reference
        return method


def pick(owned: list[Owned], field: str, wanted: str) -> Owned | None:
    """The one that is named, or the default."""
    if wanted:
        return find(owned, field, wanted)
    return owned[0] if owned else None


def find(owned: list[Owned], field: str, wanted: str) -> Owned:
    for each in owned:
        if getattr(each, field) == wanted:
            return each
    raise not_found()


def _added(owned: list[Owned], new: Owned) -> Owned:
    """Lists are the default first, then the newest."""
    if new.is_default:
        for each in owned:
            each.is_default = False
    owned.insert(0 if new.is_default else 1, new)
    return new


def _chosen(owned: list[Owned], field: str, wanted: str) -> Owned:
    chosen = find(owned, field, wanted)
    owned.remove(chosen)
    chosen.is_default = True
    return _added(owned, chosen)


def _dropped(owned: list[Owned], field: str, wanted: str) -> None:
    owned[:] = [each for each in owned if getattr(each, field) != wanted]
    if owned:
        owned[0].is_default = True


def _masked(address: address_pb2.PostalAddress, *, is_default: bool) -> address_pb2.Address:
    return address_pb2.Address(
        address_id=f"adr_{secrets.token_hex(15)}",
        name=f"{address.name[:1]}***",
        line=f"{address.lines[0][:1] if address.lines else ''}***",
        city=address.city,
        region=address.region,
        postal_code=address.postal_code,
        country=address.country,
        phone=f"*** {address.phone[-2:]}" if address.phone else "",
        is_default=is_default,
    )
