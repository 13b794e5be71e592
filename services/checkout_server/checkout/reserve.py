"""T1's unit: everything an attempt needs to survive us, made before anything is sent. Pure.

What is written here is what every later POST is rendered from, whoever sends it: provider
parameters are a function of this row alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from checkout_sdk._pb import attempt_pb2, merchant_pb2, money_pb2, quote_pb2
from checkout_server import ids
from checkout_server._pb import charge_pb2, stored_pb2
from checkout_server.checkout import intent, outcome
from checkout_server.checkout.advance import Owner
from checkout_server.checkout.attempt import AttemptRow, State, Units, hold_state, units_of
from checkout_server.checkout.planner import Event, Reserve, event_kind
from checkout_server.checkout.verify import Tapped
from checkout_server.orders import order as orders
from checkout_server.protobuf_time import duration_ms

# A buyer with three purchases under way has their hands full; a script that hoards stock has no
# more.
MOST_OPEN_ATTEMPTS = 3
# Which renderer of the gateway turns the journalled request into provider parameters.
PARAMS_VERSION = 1
CANCELLABLE_MS = 30 * 60_000


@dataclass(frozen=True, slots=True)
class Deal:
    """What the buyer gets and pays: the token's claims, or the quote made inside the call."""

    claims: stored_pb2.QuoteClaims
    messages: tuple[quote_pb2.Message, ...] = ()


def reserve(
    tapped: Tapped,
    deal: Deal,
    request: attempt_pb2.PlaceOrderRequest,
    merchant: merchant_pb2.Merchant,
    *,
    attempt_id: str,
    titles: Mapping[str, str],
    owner: Owner,
    now_ms: int,
    decided_by_ms: int,
    queued: bool,
    platform_id: str,
    traceparent: str,
) -> Reserve:
    record = _record(tapped, deal.claims, request, merchant, attempt_id, titles, now_ms)
    record.traceparent = traceparent
    if deal.claims.totals.total_minor:
        record.authorize.CopyFrom(_authorize(deal.claims, merchant, attempt_id, platform_id))
    state = State.RESERVED if queued else State.CHARGING
    row = AttemptRow(
        merchant=tapped.merchant,
        attempt_id=attempt_id,
        platform_id=platform_id,
        buyer_id=tapped.buyer_id,
        idempotency_key=tapped.idempotency_key,
        fingerprint=tapped.fingerprint,
        state=state,
        version=1,
        hold_state=hold_state(state),
        worker=owner.worker,
        worker_epoch=owner.epoch,
        next_ms=now_ms,
        tries=0,
        created_ms=now_ms,
        updated_ms=now_ms,
        body=record.SerializeToString(deterministic=True),
        outcome=None,
    )
    shown = outcome.shown(row, now_ms, decided_by_ms).SerializeToString(deterministic=True)
    return Reserve(
        row=row,
        units=units_of(record),
        intent=record.intent,
        event=Event(ids.new_id("evt", tapped.merchant), event_kind(state), shown),
        offer_id=deal.claims.offer_id,
        epoch=deal.claims.epoch,
        repeat_of=request.repeat_of,
    )


def _record(
    tapped: Tapped,
    claims: stored_pb2.QuoteClaims,
    request: attempt_pb2.PlaceOrderRequest,
    merchant: merchant_pb2.Merchant,
    attempt_id: str,
    titles: Mapping[str, str],
    now_ms: int,
) -> stored_pb2.AttemptRecord:
    cancellable = duration_ms(merchant.cancellable_for)
    return stored_pb2.AttemptRecord(
        purchase=claims,
        holds=[
            stored_pb2.Hold(kind=held.kind, id=held.id, quantity=held.quantity, limit=held.limit)
            for held in units_for(claims, tapped.buyer_id)
        ],
        intent=intent.intent_of(claims),
        client_reference=request.client_reference,
        metadata=request.metadata,
        journey=request.journey,
        position_ms=request.position_ms,
        consents=request.consents,
        risk=request.risk if request.HasField("risk") else None,
        create_ms=now_ms,
        cancellable_ms=cancellable if merchant.HasField("cancellable_for") else CANCELLABLE_MS,
        next_tap_key=ids.new_id("tap", tapped.merchant),
        lines=[_line(line, titles.get(line.sku, ""), claims.currency) for line in claims.lines],
    )


def units_for(claims: stored_pb2.QuoteClaims, buyer_id: str) -> list[Units]:
    """Lines that share a SKU are summed first: two lines of one unit each want two."""
    stock: dict[str, int] = {}
    for line in claims.lines:
        stock[line.sku] = stock.get(line.sku, 0) + line.quantity
    limits = [Units(hold.kind, hold.id, hold.quantity, hold.limit) for hold in claims.limits]
    return [
        *(Units("stock", sku, quantity) for sku, quantity in sorted(stock.items())),
        *limits,
        Units("open", buyer_id, 1, MOST_OPEN_ATTEMPTS),
    ]


def _authorize(
    claims: stored_pb2.QuoteClaims,
    merchant: merchant_pb2.Merchant,
    attempt_id: str,
    platform_id: str,
) -> charge_pb2.AuthorizeRequest:
    unset = merchant_pb2.CaptureMode.CAPTURE_MODE_UNSPECIFIED
    automatic = merchant_pb2.CaptureMode.CAPTURE_MODE_AUTOMATIC
    return charge_pb2.AuthorizeRequest(
        key=f"{attempt_id}:charge:1",
        amount=money_pb2.Money(amount_minor=claims.totals.total_minor, currency=claims.currency),
        merchant_id=claims.merchant_id,
        attempt_id=attempt_id,
        account=platform_id,
        capture_mode=automatic if merchant.capture_mode == unset else merchant.capture_mode,
        return_url=claims.action_return_url or merchant.action_return_url,
        provider_reference=claims.provider_reference,
        provider_customer=claims.provider_customer,
        params_version=PARAMS_VERSION,
    )


def _line(line: stored_pb2.ClaimedLine, title: str, currency: str) -> quote_pb2.QuoteLine:
    return quote_pb2.QuoteLine(
        sku=line.sku,
        title=title,
        quantity=line.quantity,
        unit_price=orders.money(line.unit_price_minor, currency),
        totals=orders.totals(line.totals, currency),
    )
