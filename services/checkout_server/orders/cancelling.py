"""Which movement of money undoes an order: pure."""

from __future__ import annotations

from checkout_sdk._pb import order_pb2
from checkout_server._pb import stored_pb2

PAYMENT = order_pb2.PaymentState


def begin(
    order: order_pb2.Order, provider_intent: str, account: str, *, number: int = 1
) -> stored_pb2.MoneyOperation:
    """Marks the order as being undone and returns the operation to journal with it.

    What is only authorized is voided; what is captured is refunded, and the refund is reserved on the order
    first, so that no two refunds together can pass what was captured. A free order moves no money: its
    operation is `release`.
    """
    captured = order.captured.amount_minor
    if order.payment_state == PAYMENT.PAYMENT_STATE_AUTHORIZED:
        operation, amount = "void", order.totals.total
        order.payment_state = PAYMENT.PAYMENT_STATE_VOIDING
    else:
        operation, amount = ("refund" if captured else "release"), order.captured
        if captured:
            order.refunds.add(
                refund_id=f"{order.order_id}:{number}",
                status=order_pb2.Refund.Status.STATUS_PENDING,
                amount=order.captured,
            )
    return stored_pb2.MoneyOperation(
        order_id=order.order_id,
        operation=operation,
        number=number,
        key=f"{order.order_id}:{operation}:{number}",
        amount=amount,
        provider_intent=provider_intent,
        account=account,
        cancels_order=True,
    )
