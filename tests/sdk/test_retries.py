"""What is sent again, with what, and when the client gives up: over real gRPC, by script."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from checkout_sdk import (
    DeadlineExceeded,
    InvalidRequest,
    Money,
    OutcomeUnknown,
    OverCapacity,
    Placed,
    ServerError,
    StaleEtag,
    Throttled,
    Unavailable,
)
from checkout_sdk._pb import attempt_pb2, offer_pb2, order_pb2
from tests.sdk.scripted import Fail, Hang, Stream

PLACED = attempt_pb2.PlaceOrderResponse(
    attempt=attempt_pb2.Attempt(
        attempt_id="att_1", placed=attempt_pb2.Placed(order=order_pb2.Order(order_id="ord_1"))
    )
)
SEEN = attempt_pb2.GetAttemptResponse(attempt=PLACED.attempt)
ORDER = order_pb2.GetOrderResponse(order=order_pb2.Order(order_id="ord_1"))
LOST = Fail("UNAVAILABLE")


def tap(checkout):
    return checkout.for_buyer("u_1").place_order("token", idempotency_key="key-1")


@pytest.mark.parametrize("code", ["UNAVAILABLE", "CANCELLED", "ABORTED", "DEADLINE_EXCEEDED"])
async def test_what_may_be_repeated_is_sent_again(scripted_checkout, server, code):
    server.script["GetOrder"] = [Fail(code), ORDER]

    order = await scripted_checkout.for_buyer("u_1").orders.get("ord_1")

    assert order.order_id == "ord_1"
    assert len(server.seen["GetOrder"]) == 2


@pytest.mark.parametrize(
    ("fail", "error"),
    [
        (Fail("INTERNAL", "INTERNAL"), ServerError),
        (Fail("UNKNOWN"), ServerError),
        (Fail("INVALID_ARGUMENT", "INVALID_FIELD"), InvalidRequest),
        (Fail("ABORTED", "STALE_ETAG"), StaleEtag),
        (Fail("RESOURCE_EXHAUSTED", "OVER_CAPACITY"), OverCapacity),
        (Fail("UNAVAILABLE", "SHUTTING_DOWN", pushback="-1"), Unavailable),
    ],
    ids=lambda value: getattr(value, "code", None),
)
async def test_what_may_not_be_repeated_is_sent_once(scripted_checkout, server, fail, error):
    server.script["GetOrder"] = [fail, ORDER]

    with pytest.raises(error):
        await scripted_checkout.for_buyer("u_1").orders.get("ord_1")

    assert len(server.seen["GetOrder"]) == 1


async def test_over_capacity_is_sent_again_after_the_servers_wait(scripted_checkout, server):
    server.script["GetOrder"] = [
        Fail("RESOURCE_EXHAUSTED", "OVER_CAPACITY", pushback="20"),
        Fail("RESOURCE_EXHAUSTED", "OVER_CAPACITY", retry_after_s=0.02),
        ORDER,
    ]

    await scripted_checkout.for_buyer("u_1").orders.get("ord_1")

    assert len(server.seen["GetOrder"]) == 3


async def test_the_tries_end_with_max_retries(scripted_checkout, server):
    server.script["GetOrder"] = [Fail("UNAVAILABLE", pushback="1")]
    twice = scripted_checkout.with_options(max_retries=1)

    with pytest.raises(Unavailable) as caught:
        await twice.for_buyer("u_1").orders.get("ord_1")

    assert len(server.seen["GetOrder"]) == 2
    assert caught.value.retryable
    with pytest.raises(Unavailable):
        await scripted_checkout.for_buyer("u_1").orders.get("ord_1", max_retries=0)
    assert len(server.seen["GetOrder"]) == 3


async def test_all_tries_carry_one_key_one_request_id_and_the_token(scripted_checkout, server):
    server.script["PlaceOrder"] = [LOST, LOST, PLACED]

    await tap(scripted_checkout)

    tries = server.seen["PlaceOrder"]
    assert [each.request.idempotency_key for each in tries] == ["key-1"] * 3
    assert len({each.metadata["x-request-id"] for each in tries}) == 1
    assert {each.metadata["authorization"] for each in tries} == {"Bearer t"}
    assert all(each.metadata["user-agent"].startswith("checkout-sdk-python/") for each in tries)


async def test_a_creating_call_makes_its_request_id_once(scripted_checkout, server):
    server.script["CreateOffer"] = [LOST, offer_pb2.CreateOfferResponse()]

    await scripted_checkout.admin.create_offer("m_1", title="Mug", skus=["mug"])
    await scripted_checkout.admin.create_offer("m_1", title="Mug", skus=["mug"])

    first, again, second = (each.request.request_id for each in server.seen["CreateOffer"])
    assert first == again != second


async def test_a_tap_whose_answers_are_lost_is_asked_for(scripted_checkout, server):
    server.script |= {"PlaceOrder": [LOST], "GetAttempt": [SEEN]}

    outcome = await tap(scripted_checkout)

    assert isinstance(outcome, Placed)
    assert outcome.idempotency_key == "key-1"
    asked = server.seen["GetAttempt"][0].request
    assert (asked.idempotency_key, asked.buyer_id) == ("key-1", "u_1")


async def test_a_tap_that_hangs_leaves_time_to_ask(scripted_checkout, server):
    server.script |= {"PlaceOrder": [Hang()], "GetAttempt": [SEEN]}

    outcome = await scripted_checkout.for_buyer("u_1").place_order(
        "token", idempotency_key="key-1", timeout=1.2, max_retries=0
    )

    assert isinstance(outcome, Placed)


@pytest.mark.parametrize(
    ("answer", "asked"), [(Fail("NOT_FOUND", "NOT_FOUND"), True), (Fail("INTERNAL"), False)]
)
async def test_a_tap_that_nobody_knows_is_unknown(scripted_checkout, server, answer, asked):
    server.script |= {"PlaceOrder": [LOST], "GetAttempt": [answer]}

    with pytest.raises(OutcomeUnknown) as caught:
        await tap(scripted_checkout)

    assert caught.value.asked is asked
    assert caught.value.idempotency_key == "key-1"
    assert caught.value.retryable
    assert isinstance(caught.value.__cause__, Unavailable)


@pytest.mark.parametrize("last", ["UNAUTHENTICATED", "INVALID_ARGUMENT", "INTERNAL"])
async def test_a_no_after_a_lost_answer_proves_nothing(scripted_checkout, server, last):
    server.script |= {"PlaceOrder": [LOST, Fail(last)], "GetAttempt": [SEEN]}

    assert isinstance(await tap(scripted_checkout), Placed)


async def test_a_plain_no_is_raised_without_asking(scripted_checkout, server):
    server.script |= {"PlaceOrder": [Fail("INVALID_ARGUMENT", "INVALID_FIELD")]}

    with pytest.raises(InvalidRequest) as caught:
        await tap(scripted_checkout)

    assert caught.value.idempotency_key == "key-1"
    assert not server.seen["GetAttempt"]


async def test_a_tap_over_capacity_without_time_to_wait_is_throttled(scripted_checkout, server):
    server.script["PlaceOrder"] = [Fail("RESOURCE_EXHAUSTED", "OVER_CAPACITY", pushback="60000")]

    outcome = await tap(scripted_checkout)

    assert isinstance(outcome, Throttled)
    assert outcome.retry_after.total_seconds() == 60
    assert outcome.idempotency_key == "key-1"
    assert outcome.attempt_id is None


async def test_over_capacity_after_a_lost_answer_is_not_called_throttled(scripted_checkout, server):
    busy = Fail("RESOURCE_EXHAUSTED", "OVER_CAPACITY", pushback="60000")
    server.script |= {"PlaceOrder": [LOST, busy], "GetAttempt": [SEEN]}

    assert isinstance(await tap(scripted_checkout), Placed)


async def test_a_client_without_budget_stops_repeating(scripted_checkout, server):
    server.script["GetOrder"] = [Fail("UNAVAILABLE", pushback="0")]
    orders = scripted_checkout.for_buyer("u_1").orders

    for _ in range(20):
        with pytest.raises(Unavailable):
            await orders.get("ord_1")

    # 20 calls, 10 tokens, and one more retry: the floor of one every 10 s.
    assert len(server.seen["GetOrder"]) == 31


async def test_a_deadline_covers_all_tries(scripted_checkout, server):
    server.script["GetOrder"] = [Hang()]

    with pytest.raises(DeadlineExceeded):
        await scripted_checkout.for_buyer("u_1").orders.get("ord_1", timeout=0.3)

    assert len(server.seen["GetOrder"]) == 1
    assert server.seen["GetOrder"][0].time_given_s < 0.5


async def test_a_try_gets_its_share_of_the_deadline(scripted_checkout, server):
    server.script["GetOrder"] = [ORDER]

    await scripted_checkout.for_buyer("u_1").orders.get("ord_1", timeout=20, max_retries=3)

    assert server.seen["GetOrder"][0].time_given_s < 6


async def test_a_broken_stream_goes_on_where_it_was(scripted_checkout, server):
    def version(number):
        return order_pb2.WatchOrderResponse(order=order_pb2.Order(order_id="ord_1", version=number))

    heartbeat = order_pb2.WatchOrderResponse()
    server.script["WatchOrder"] = [
        Stream([version(1), heartbeat, version(2)], end=LOST),
        Fail("UNAVAILABLE"),
        Stream([version(3)]),
    ]

    orders = scripted_checkout.for_buyer("u_1").orders
    versions = [order.version async for order in orders.watch("ord_1")]

    assert versions == [1, 2, 3]
    assert [each.request.after_version for each in server.seen["WatchOrder"]] == [0, 2, 2]


async def test_a_stream_that_may_not_be_repeated_raises(scripted_checkout, server):
    server.script["WatchOrder"] = [Fail("NOT_FOUND", "NOT_FOUND")]

    orders = scripted_checkout.for_buyer("u_1").orders
    async with aclosing(orders.watch("ord_1")) as watched:
        with pytest.raises(Exception, match="NOT_FOUND"):
            await anext(watched)


async def test_the_next_target_is_tried_when_one_is_gone(client_class, server):
    server.script["GetOrder"] = [ORDER]
    gone = "127.0.0.1:1"

    async with client_class(target=[gone, server.target], token="t") as checkout:
        await checkout.for_buyer("u_1").orders.get("ord_1", timeout=5)
        # The one that answered is kept: no retry needed.
        await checkout.for_buyer("u_1").orders.get("ord_1", max_retries=0)

    assert len(server.seen["GetOrder"]) == 2


async def test_a_token_is_asked_for_every_try(client_class, server):
    server.script["PlaceOrder"] = [LOST, PLACED]
    tokens = iter(["first", "second"])

    async with client_class(target=server.target, token=lambda: next(tokens)) as checkout:
        await checkout.for_buyer("u_1").place_order(
            "token", idempotency_key="key-1", expected_total=Money(1, "USD")
        )

    sent = [each.metadata["authorization"] for each in server.seen["PlaceOrder"]]
    assert sent == ["Bearer first", "Bearer second"]
