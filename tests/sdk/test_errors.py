from __future__ import annotations

import pytest

from checkout_sdk import errors
from checkout_sdk._pb import errors_pb2
from tests.sdk.scripted import Fail


async def failing(checkout, server, fail):
    server.script["GetOrder"] = [fail]
    with pytest.raises(errors.CheckoutError) as caught:
        await checkout.for_buyer("u_1").orders.get("ord_1", max_retries=0)
    return caught.value


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        ("INVALID_ARGUMENT", "INVALID_FIELD", errors.InvalidRequest),
        ("INVALID_ARGUMENT", "QUOTE_INVALID", errors.QuoteInvalid),
        ("UNAUTHENTICATED", "UNAUTHENTICATED", errors.AuthenticationError),
        ("PERMISSION_DENIED", "BUYER_MISMATCH", errors.PermissionDenied),
        ("NOT_FOUND", "NOT_FOUND", errors.NotFound),
        ("FAILED_PRECONDITION", "IDEMPOTENCY_CONFLICT", errors.IdempotencyConflict),
        ("FAILED_PRECONDITION", "KEY_RETIRED", errors.KeyRetired),
        ("FAILED_PRECONDITION", "MERCHANT_NOT_READY", errors.PreconditionFailed),
        ("ABORTED", "STALE_ETAG", errors.StaleEtag),
        ("ABORTED", "", errors.Unavailable),
        ("RESOURCE_EXHAUSTED", "OVER_CAPACITY", errors.OverCapacity),
        ("UNAVAILABLE", "SHUTTING_DOWN", errors.Unavailable),
        ("DEADLINE_EXCEEDED", "DEADLINE_TOO_SHORT", errors.DeadlineExceeded),
        ("UNIMPLEMENTED", "NOT_IMPLEMENTED", errors.Unsupported),
        ("INTERNAL", "INTERNAL", errors.ServerError),
        ("DATA_LOSS", "", errors.ServerError),
    ],
)
async def test_each_fault_is_the_class_of_its_decision(
    scripted_checkout, server, code, reason, kind
):
    error = await failing(scripted_checkout, server, Fail(code, reason))

    assert type(error) is kind
    assert (error.code, error.reason) == (code, reason or None)
    assert error.__cause__ is not None


async def test_an_error_carries_what_the_server_said(scripted_checkout, server):
    fail = Fail(
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        retry_after_s=1.5,
        fields=[("lines[0].quantity", "must be from 1 to 99")],
    )

    error = await failing(scripted_checkout, server, fail)

    assert error.field_violations == (
        errors.FieldViolation("lines[0].quantity", "must be from 1 to 99"),
    )
    assert error.retry_after_s == 1.5
    assert error.request_id == server.seen["GetOrder"][0].metadata["x-request-id"]
    assert "lines[0].quantity: must be from 1 to 99" in str(error)


def test_the_module_draws_every_class_there_is():
    names = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    ]

    assert [name for name in names if name not in errors.__doc__] == []


def test_the_reasons_this_sdk_looks_at_are_the_servers():
    from checkout_sdk import _faults

    names = errors_pb2.ErrorReason.DESCRIPTOR.values_by_name
    known = {name.removeprefix("ERROR_REASON_") for name in names}
    assert _faults.BY_REASON.keys() | _faults.NOTHING_WAS_DONE <= known


async def test_an_unauthenticated_call_says_where_the_token_comes_from(scripted_checkout, server):
    error = await failing(scripted_checkout, server, Fail("UNAUTHENTICATED", "UNAUTHENTICATED"))

    assert "CHECKOUT_TOKEN or token=" in str(error)
