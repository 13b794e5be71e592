"""How an order is undone: which movement of money it takes, and what the order becomes by it. Pure.

What is only authorized is voided; what is captured is refunded, and the refund is reserved on the
order first, so that no two refunds together can pass what was captured. A free order moves no
money: its operation is `release`. The order stays PLACED until the money is known to be back; only
then the stock is.
"""

from __future__ import annotations

from enum import Enum, auto

from checkout_sdk._pb import money_pb2, order_pb2
from checkout_server._pb import charge_pb2, stored_pb2
from checkout_server.checkout.settle import KEY_LIFE_MS
from checkout_server.protobuf_time import timestamp_ms

PAYMENT = order_pb2.PaymentState
REFUND = order_pb2.Refund.Status
STATUS = charge_pb2.ChargeStatus

# These will never say how it went under this key: what there is, is asked for instead.
RETRIEVED_AFTER = frozenset({STATUS.CHARGE_STATUS_STUCK, STATUS.CHARGE_STATUS_KEY_USED})

# What the provider says of a charge when it is undone.
DONE_BY = {"void": STATUS.CHARGE_STATUS_CANCELLED, "refund": STATUS.CHARGE_STATUS_REFUNDED}


class Meaning(Enum):
    DONE = auto()
    # The void came too late: the money is there, and goes back by a refund.
    CAPTURED = auto()
    # Nobody knows, or the provider would not: the same again, later.
    UNDECIDED = auto()


def may_begin(order: order_pb2.Order, now_ms: int) -> bool:
    """Before capture or fulfilment, as far as the buyer can tell: nothing has been packed, no money
    has been given back, and it is not too late."""
    return (
        order.state == order_pb2.OrderState.ORDER_STATE_PLACED
        and order.payment_state
        in (PAYMENT.PAYMENT_STATE_AUTHORIZED, PAYMENT.PAYMENT_STATE_CAPTURED)
        and not order.fulfillments
        and not order.refunds
        and now_ms <= timestamp_ms(order.cancellable_until)
    )


def begin(
    order: order_pb2.Order,
    provider_intent: str,
    account: str,
    *,
    number: int = 1,
    reason: str = "",
) -> stored_pb2.MoneyOperation:
    """Marks the order, as it is at its update_time, as being undone; the operation to journal."""
    if order.payment_state == PAYMENT.PAYMENT_STATE_AUTHORIZED:
        operation, amount = "void", order.totals.total
        order.payment_state = PAYMENT.PAYMENT_STATE_VOIDING
    elif order.captured.amount_minor:
        operation, amount = "refund", order.captured
        order.refunds.add(
            refund_id=_refund_id(order, number),
            status=REFUND.STATUS_PENDING,
            amount=amount,
            reason=reason,
            create_time=order.update_time,
        )
    else:
        operation, amount = "release", order.captured
    return stored_pb2.MoneyOperation(
        order_id=order.order_id,
        operation=operation,
        number=number,
        key=f"{order.order_id}:{operation}:{number}",
        amount=amount,
        provider_intent=provider_intent,
        account=account,
        cancels_order=True,
        reason=reason,
    )


def meaning(
    operation: stored_pb2.MoneyOperation, order: order_pb2.Order, charge: charge_pb2.Charge
) -> Meaning:
    if operation.operation == "release" or charge.status == DONE_BY[operation.operation]:
        return Meaning.DONE
    taken = charge.status in (STATUS.CHARGE_STATUS_CAPTURED, STATUS.CHARGE_STATUS_REFUNDED)
    if operation.operation == "void" and taken and _is_part(charge.amount, order.totals.total):
        return Meaning.CAPTURED
    return Meaning.UNDECIDED


def refund_instead(
    order: order_pb2.Order, void: stored_pb2.MoneyOperation, captured: money_pb2.Money
) -> stored_pb2.MoneyOperation:
    """The operation after a void that found the money taken. It has a key of its own: a refund is
    another request, not the void again."""
    order.payment_state = PAYMENT.PAYMENT_STATE_CAPTURED
    order.captured.CopyFrom(captured)
    return begin(
        order, void.provider_intent, void.account, number=void.number + 1, reason=void.reason
    )


def finish(order: order_pb2.Order, operation: stored_pb2.MoneyOperation) -> None:
    """The money is back where it came from."""
    order.state = order_pb2.OrderState.ORDER_STATE_CANCELLED
    if operation.operation == "void":
        order.payment_state = PAYMENT.PAYMENT_STATE_VOIDED
    elif operation.operation == "refund":
        order.payment_state = PAYMENT.PAYMENT_STATE_REFUNDED
        order.refunded.CopyFrom(operation.amount)
        _refund_of(order, operation).status = REFUND.STATUS_SUCCEEDED


def may_be_sent(order: order_pb2.Order, operation: stored_pb2.MoneyOperation, now_ms: int) -> bool:
    """A refund's key is pruned at the provider after a day, and would refund again. A void's too,
    but what is cancelled twice is cancelled once."""
    if operation.operation != "refund":
        return True
    return now_ms <= timestamp_ms(_refund_of(order, operation).create_time) + KEY_LIFE_MS


def _refund_of(order: order_pb2.Order, operation: stored_pb2.MoneyOperation) -> order_pb2.Refund:
    wanted = _refund_id(order, operation.number)
    for refund in order.refunds:
        if refund.refund_id == wanted:
            return refund
    raise AssertionError(f"{operation.key}: its refund is not on the order")


def _refund_id(order: order_pb2.Order, number: int) -> str:
    return f"{order.order_id}:{number}"


def _is_part(amount: money_pb2.Money, whole: money_pb2.Money) -> bool:
    return amount.currency == whole.currency and 0 < amount.amount_minor <= whole.amount_minor
