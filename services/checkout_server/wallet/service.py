"""The payment methods of a buyer: WalletService for apps, WalletLookupService for checkout.

Only references are kept, and what may be shown of them. Whether this buyer may be charged by a
reference is the provider's to say: its test methods, for one, are everybody's.
"""

from __future__ import annotations

from dataclasses import replace

from checkout_sdk._pb.wallet_pb2 import (
    DeletePaymentMethodRequest,
    DeletePaymentMethodResponse,
    ListPaymentMethodsRequest,
    ListPaymentMethodsResponse,
    PaymentMethod,
    SavePaymentMethodRequest,
    SavePaymentMethodResponse,
    SetDefaultPaymentMethodRequest,
    SetDefaultPaymentMethodResponse,
)
from checkout_server import ids
from checkout_server._pb.lookup_pb2 import LookupPaymentMethodRequest, LookupPaymentMethodResponse
from checkout_server._pb.stored_pb2 import PaymentMethodRecord
from checkout_server.call import Call
from checkout_server.card_numbers import holds_card_number
from checkout_server.database import Database, Tx
from checkout_server.database.clock import ServiceClock
from checkout_server.database.requests import once
from checkout_server.faults import invalid, not_found
from checkout_server.protobuf_time import timestamp
from checkout_server.saved_list import Owner, Saved
from checkout_server.wallet.describe import Describe
from checkout_server.wallet.rules import REFERENCE
from checkout_server.wallet.store import METHODS, by_reference


class Wallet:
    def __init__(self, db: Database, clock: ServiceClock, describe: Describe) -> None:
        self._db = db
        self._clock = clock
        self._describe = describe

    async def save_payment_method(
        self, request: SavePaymentMethodRequest, call: Call
    ) -> SavePaymentMethodResponse:
        owner = Owner.of(call.caller, request.buyer_id)
        if holds_card_number(request.provider_reference):
            raise invalid("provider_reference", REFERENCE)
        now_ms = self._clock.now_ms()
        record = self._record(request.provider_reference, call.caller.platform_tag, now_ms)

        async def save(tx: Tx) -> SavePaymentMethodResponse:
            async def make() -> SavePaymentMethodResponse:
                saved = await _keep(tx, owner, record, default=request.make_default)
                return SavePaymentMethodResponse(payment_method=_shown(saved))

            return await once(
                tx,
                scope=owner.request_scope,
                method="SavePaymentMethod",
                request_id=request.request_id,
                request=request,
                response_type=SavePaymentMethodResponse,
                now_ms=now_ms,
                make=make,
            )

        return await self._db.transact(save)

    async def list_payment_methods(
        self, request: ListPaymentMethodsRequest, call: Call
    ) -> ListPaymentMethodsResponse:
        owner = Owner.of(call.caller, request.buyer_id)
        page, next_token = await METHODS.page(
            self._db, owner, size=request.page_size, token=request.page_token
        )
        return ListPaymentMethodsResponse(
            payment_methods=map(_shown, page), next_page_token=next_token
        )

    async def set_default_payment_method(
        self, request: SetDefaultPaymentMethodRequest, call: Call
    ) -> SetDefaultPaymentMethodResponse:
        owner = Owner.of(call.caller, request.buyer_id)
        saved = await self._db.transact(
            lambda tx: METHODS.make_default(tx, owner, request.payment_method_id)
        )
        if saved is None:
            raise not_found()
        return SetDefaultPaymentMethodResponse(payment_method=_shown(saved))

    async def delete_payment_method(
        self, request: DeletePaymentMethodRequest, call: Call
    ) -> DeletePaymentMethodResponse:
        owner = Owner.of(call.caller, request.buyer_id)
        if not await self._db.transact(
            lambda tx: METHODS.remove(tx, owner, request.payment_method_id)
        ):
            raise not_found()
        return DeletePaymentMethodResponse()

    async def lookup_payment_method(
        self, request: LookupPaymentMethodRequest, call: Call
    ) -> LookupPaymentMethodResponse:
        """Platform and buyer are the request's: only our own services may make this call."""
        owner = Owner(request.platform_id, request.buyer_id)
        saved = await METHODS.find(self._db, owner, request.payment_method_id)
        if saved is None:
            raise not_found()
        record = PaymentMethodRecord.FromString(saved.body)
        return LookupPaymentMethodResponse(
            payment_method=_shown(saved),
            provider_reference=record.provider_reference,
            provider_customer=record.provider_customer,
        )

    def _record(
        self, provider_reference: str, platform_tag: str, now_ms: int
    ) -> PaymentMethodRecord:
        shown = PaymentMethod(
            payment_method_id=ids.new_id("pmt", platform_tag), create_time=timestamp(now_ms)
        )
        shown.MergeFrom(self._describe(provider_reference))
        return PaymentMethodRecord(shown=shown, provider_reference=provider_reference)


async def _keep(tx: Tx, owner: Owner, record: PaymentMethodRecord, *, default: bool) -> Saved:
    """The provider's method once: saving it again gives the entry there is."""
    known = await by_reference(tx, owner, record.provider_reference)
    if known is None:
        return await METHODS.add(
            tx,
            owner,
            record.shown.payment_method_id,
            record.SerializeToString(),
            default=default,
            provider_reference=record.provider_reference,
        )
    if not default:
        return known
    await METHODS.make_default(tx, owner, known.id)
    return replace(known, is_default=True)


def _shown(saved: Saved) -> PaymentMethod:
    shown = PaymentMethodRecord.FromString(saved.body).shown
    shown.is_default = saved.is_default
    return shown
