"""The order that an attempt becomes: pure."""

from __future__ import annotations

from checkout_sdk._pb import money_pb2, order_pb2
from checkout_server._pb import charge_pb2, stored_pb2
from checkout_server.checkout.attempt import AttemptRow
from checkout_server.protobuf_time import timestamp

PAYMENT = order_pb2.PaymentState


def placed(
    row: AttemptRow,
    record: stored_pb2.AttemptRecord,
    charge: charge_pb2.Charge | None,
    *,
    now_ms: int,
) -> order_pb2.Order:
    """What the buyer owns from T2 on. A free order counts as captured: nothing is left to take."""
    claims = record.purchase
    total = claims.totals.total_minor
    authorized = charge is not None and charge.status == charge_pb2.CHARGE_STATUS_AUTHORIZED
    return order_pb2.Order(
        order_id=record.order_id,
        attempt_id=row.attempt_id,
        merchant_id=claims.merchant_id,
        buyer_id=row.buyer_id,
        offer_id=claims.offer_id,
        state=order_pb2.OrderState.ORDER_STATE_PLACED,
        payment_state=(
            PAYMENT.PAYMENT_STATE_AUTHORIZED if authorized else PAYMENT.PAYMENT_STATE_CAPTURED
        ),
        version=row.version,  # an order's version goes on from its attempt's
        lines=record.lines,
        totals=totals(claims.totals, claims.currency),
        address_id=claims.address_id,
        address=claims.address if claims.HasField("address") else None,
        payment_method=claims.payment_method if claims.HasField("payment_method") else None,
        delivery=claims.delivery if claims.HasField("delivery") else None,
        captured=money(0 if authorized else total, claims.currency),
        refunded=money(0, claims.currency),
        cancellable_until=timestamp(now_ms + record.cancellable_ms),
        client_reference=record.client_reference,
        metadata=record.metadata,
        attribution=claims.attribution if claims.HasField("attribution") else None,
        discount_codes=claims.discount_codes,
        create_time=timestamp(now_ms),
        update_time=timestamp(now_ms),
        livemode=record.purchase.livemode,
    )


def changed(order: order_pb2.Order, now_ms: int) -> None:
    """Makes it its next version, to be changed further and written."""
    order.version += 1
    order.update_time.CopyFrom(timestamp(now_ms))


def totals(claimed: stored_pb2.ClaimedTotals, currency: str) -> money_pb2.Totals:
    return money_pb2.Totals(
        items=money(claimed.items_minor, currency),
        discount=money(claimed.discount_minor, currency),
        delivery=money(claimed.delivery_minor, currency),
        tax=money(claimed.tax_minor, currency),
        total=money(claimed.total_minor, currency),
        tax_included=claimed.tax_included,
    )


def money(amount_minor: int, currency: str) -> money_pb2.Money:
    return money_pb2.Money(amount_minor=amount_minor, currency=currency)
