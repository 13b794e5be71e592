from __future__ import annotations

import dataclasses
import json
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.json_format import ParseDict

import checkout_sdk
from checkout_sdk import (
    Address,
    Blocker,
    Budget,
    Journey,
    Limits,
    Merchant,
    Money,
    NextStep,
    OfferChanged,
    Page,
    PaymentMethod,
    Placed,
    PostalAddress,
    Quote,
    Stage,
    Totals,
    Unrecognized,
)
from checkout_sdk import _rpcs as rpcs
from checkout_sdk._pb import (
    address_pb2,
    attempt_pb2,
    checkout_pb2,
    money_pb2,
    order_pb2,
    quote_pb2,
    wallet_pb2,
)
from checkout_sdk._values import OpenEnum, Value, read
from checkout_sdk.outcomes import _KINDS, Answer, outcome_of

USD = {"amount_minor": 1050, "currency": "USD"}
VALUES = sorted(
    (
        value
        for value in vars(checkout_sdk).values()
        if isinstance(value, type) and issubclass(value, Value)
    ),
    key=lambda value: value.__name__,
)
# Proto fields that are told otherwise: the oneof of a challenge is one JSON object, and what
# surrounds an outcome in its attempt is on every `Answer`.
ELSEWHERE = {
    "ActionRequired": {"redirect_url", "provider_action"},
    "Unrecognized": {
        *("buyer_id", "state", "version", "create_time", "update_time"),
        *_KINDS,
    },
}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_no_field_of_a_message_is_missing(value):
    proto = set(value.PB.DESCRIPTOR.fields_by_name)
    ours = {field.name for field in dataclasses.fields(value)}

    assert proto - ours == ELSEWHERE.get(value.__name__, set())
    if not issubclass(value, Answer):
        assert ours - proto - {"raw"} == set()


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_an_empty_message_of_a_newer_server_is_readable(value):
    given = {"idempotency_key": None, "attempt_id": None, "challenge": {}}
    names = {field.name for field in dataclasses.fields(value)}
    extra = {name: given[name] for name in given if name in names}

    assert value(**{**extra, **read(value, value.PB())}).to_json()


def test_every_enum_value_has_its_name():
    for message in (quote_pb2, order_pb2, attempt_pb2):
        for name, descriptor in message.DESCRIPTOR.enum_types_by_name.items():
            ours = getattr(checkout_sdk, name, None)
            if ours is None:
                assert name == "AttemptState"
                continue
            assert issubclass(ours, OpenEnum)
            prefix = descriptor.values[0].name.removesuffix("UNSPECIFIED")
            theirs = {value.name.removeprefix(prefix) for value in descriptor.values[1:]}
            assert set(ours.__members__) - {"UNRECOGNIZED"} == theirs


def test_every_call_matches_its_service():
    pool = checkout_pb2.DESCRIPTOR.pool
    table = [rpc for rpc in vars(rpcs).values() if isinstance(rpc, rpcs.Rpc)]

    for rpc in table:
        service, _, name = rpc.name.partition("/")
        method = pool.FindServiceByName(f"{rpcs.PACKAGE}.{service}").methods_by_name[name]
        assert method.input_type is rpc.request.DESCRIPTOR
        assert method.output_type is rpc.response.DESCRIPTOR


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(1050, "USD"), "USD 10.50"),
        (Money(1050, "JPY"), "JPY 1050"),
        (Money(1050, "KWD"), "KWD 1.050"),
        (Money(5, "EUR"), "EUR 0.05"),
        (Money(-1250, "USD"), "USD -12.50"),
    ],
)
def test_money_is_read_in_its_currencys_own_decimals(money, text):
    assert str(money) == text


def test_money_goes_to_the_page_and_back():
    money = Money(1050, "USD")

    assert money.to_json() == {**USD, "text": "USD 10.50"}
    assert Money.from_json(json.loads(json.dumps(money.to_json()))) == money


@pytest.mark.parametrize(
    "sent",
    [{}, {**USD, "amount_minor": 10.5}, {**USD, "amount_minor": True}, {**USD, "currency": None}],
)
def test_what_is_no_money_is_refused(sent):
    with pytest.raises(ValueError, match="money is"):
        Money.from_json(sent)


def quote() -> Quote:
    money = money_pb2.Money(**USD)
    message = quote_pb2.Quote(
        quote_token="secret-token",
        tap_key="tap_1",
        merchant_id="m_1",
        totals=money_pb2.Totals(items=money, total=money),
        blockers=[quote_pb2.BLOCKER_ADDRESS, 99],
    )
    message.ends_in.FromTimedelta(timedelta(seconds=90.5))
    message.server_time.FromDatetime(datetime(2026, 11, 22, 12, tzinfo=UTC))
    message.address.line = "1** Main St***"
    return Quote.from_pb(message)


def test_a_quote_is_json_for_a_card():
    shown = quote().to_json()

    assert json.loads(json.dumps(shown)) == shown
    assert shown["total"] == {**USD, "text": "USD 10.50"}
    assert shown["ends_in_s"] == 90.5
    assert shown["server_time"] == "2026-11-22T12:00:00Z"
    assert shown["address"]["line"] == "1** Main St***"
    assert shown["payment_method"] is None
    assert shown["offer_id"] is None
    assert shown["quote_token"] == "secret-token"
    assert "raw" not in shown


def test_the_json_of_a_quote_has_these_keys():
    assert sorted(quote().to_json()) == [
        "address",
        "attribution",
        "blockers",
        "choices",
        "delivery_option_id",
        "delivery_options",
        "ends_in_s",
        "expires_at",
        "journey",
        "lines",
        "livemode",
        "merchant_id",
        "messages",
        "offer_id",
        "payment_method",
        "quote_token",
        "server_time",
        "stock",
        "tap_key",
        "total",
        "totals",
    ]


def test_what_a_newer_server_says_is_unrecognized_and_in_raw():
    assert quote().blockers == (Blocker.ADDRESS, Blocker.UNRECOGNIZED)
    assert list(quote().raw.blockers) == [quote_pb2.BLOCKER_ADDRESS, 99]


def test_secrets_stay_out_of_repr():
    address = PostalAddress(name="Ada", country="GB", lines=("1 Main Street",), phone="+44123")

    assert "secret-token" not in repr(quote())
    assert not {"Ada", "Main", "+44"} & set(repr(address))
    assert "Ada" not in repr(address)
    assert "Main" not in repr(address)


def test_values_are_frozen_and_can_be_pickled():
    with pytest.raises(dataclasses.FrozenInstanceError):
        quote().tap_key = "tap_2"
    assert pickle.loads(pickle.dumps(quote())) == quote()


def test_a_value_survives_its_message():
    merchant = Merchant(
        merchant_id="m_1",
        display_name="Shop",
        country="US",
        currency="USD",
        cancellable_for=timedelta(minutes=5),
        update_time=datetime(2026, 1, 1, tzinfo=UTC),
    )

    assert Merchant.from_pb(merchant.to_pb()) == merchant


def test_a_moment_without_a_zone_is_refused():
    naive = datetime(2026, 1, 1)  # noqa: DTZ001  # what is tested
    merchant = Merchant(
        merchant_id="m", display_name="S", country="US", currency="USD", update_time=naive
    )

    with pytest.raises(ValueError, match="time zone"):
        merchant.to_pb()


def test_an_outcome_of_the_future_is_unrecognized():
    attempt = attempt_pb2.Attempt(attempt_id="att_1")

    outcome = outcome_of(attempt, attempt_pb2.GetAttemptResponse(attempt=attempt), "key")

    assert isinstance(outcome, Unrecognized)
    assert (outcome.attempt_id, outcome.idempotency_key) == ("att_1", "key")
    assert outcome.to_json()["state"] == "unrecognized"


def test_an_outcome_has_what_the_response_says_beside_it():
    response = attempt_pb2.PlaceOrderResponse(
        attempt=attempt_pb2.Attempt(
            attempt_id="att_1", placed=attempt_pb2.Placed(order=order_pb2.Order(order_id="ord_1"))
        ),
        replayed=True,
        mode=attempt_pb2.MODE_SIMPLIFIED,
        skipped=["delivery_choices"],
        budget=attempt_pb2.Budget(steps_used=1, steps_allowed=2),
        messages=[quote_pb2.Message(code="QUOTE_REFRESHED")],
    )

    outcome = outcome_of(response.attempt, response, "key")

    assert isinstance(outcome, Placed)
    assert (outcome.replayed, outcome.mode, outcome.skipped) == (
        True,
        "SIMPLIFIED",
        ("delivery_choices",),
    )
    assert outcome.budget.steps_used == 1
    assert outcome.messages[0].code == "QUOTE_REFRESHED"
    shown = json.loads(json.dumps(outcome.to_json()))
    assert (shown["state"], shown["order"]["order_id"]) == ("placed", "ord_1")


def test_a_changed_offer_and_a_challenge_are_plain_json():
    changed = attempt_pb2.OfferChanged(
        changes=[attempt_pb2.Change(field="total", was="a", now="b")]
    )
    attempt = attempt_pb2.Attempt(offer_changed=changed)
    outcome = outcome_of(attempt, attempt_pb2.GetAttemptResponse(), None)
    assert isinstance(outcome, OfferChanged)
    assert json.dumps(outcome.changes) == '[{"field": "total", "was": "a", "now": "b"}]'

    provider = attempt_pb2.ProviderAction(provider="stripe", client_secret="s")
    attempt = attempt_pb2.Attempt(
        action_required=attempt_pb2.ActionRequired(provider_action=provider)
    )
    outcome = outcome_of(attempt, attempt_pb2.GetAttemptResponse(), None)
    assert outcome.challenge["client_secret"] == "s"
    assert "client_secret" not in repr(outcome)


def test_an_accepted_without_a_wait_does_not_ask_at_once():
    attempt = attempt_pb2.Attempt(accepted=attempt_pb2.Accepted())

    outcome = outcome_of(attempt, attempt_pb2.GetAttemptResponse(), None)

    assert outcome.ask_again_after == timedelta(seconds=1)


def test_a_journey_counts_steps_and_says_when_it_takes_too_many():
    journey = Journey(journey_id="j1").stepped(elapsed=timedelta(milliseconds=300))
    journey.assert_within()

    with pytest.raises(AssertionError, match=r"1 steps in 0.300 s; at most 0 steps"):
        journey.assert_within(Limits(steps=0))


def test_a_budget_that_is_overdrawn_says_so():
    budget = Budget(
        steps_used=1,
        steps_allowed=2,
        time_used=timedelta(seconds=1),
        time_allowed=timedelta(milliseconds=800),
        stages=(Stage(name="charge", duration=timedelta(seconds=1)),),
    )

    with pytest.raises(AssertionError, match=r"1.000 s; at most 2 steps in 0.800 s"):
        budget.assert_within()


def test_totals_and_addresses_keep_their_shape():
    assert issubclass(Totals, Value)
    assert Address.from_pb(Address.PB(address_id="adr_1")).address_id == "adr_1"
    assert NextStep.TAP_AGAIN == "TAP_AGAIN"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"placed": {"order": {"order_id": "ord_1"}}}, "placed: ord_1"),
        ({"accepted": {}}, "accepted: att_1, ask again after 1 s"),
        (
            {"action_required": {"redirect_url": "https://bank.example/secret"}},
            "action_required: att_1, redirect",
        ),
        ({"offer_changed": {"changes": [{"field": "total"}]}}, "offer_changed: total"),
        (
            {
                "rejected": {
                    "code": "REJECTED_CODE_DUPLICATE_INTENT",
                    "next_step": "NEXT_STEP_SHOW_EXISTING_ORDER",
                    "existing_order_id": "ord_1",
                }
            },
            "rejected: DUPLICATE_INTENT, SHOW_EXISTING_ORDER, ord_1",
        ),
        (
            {"rejected": {"code": "REJECTED_CODE_CANCELLED", "next_step": "NEXT_STEP_NONE"}},
            "rejected: CANCELLED",
        ),
        ({"throttled": {"retry_after": "1.500s"}}, "throttled: retry after 1.5 s"),
        ({}, "unrecognized: att_1"),
    ],
)
def test_an_outcome_is_printed_in_one_line(told, text):
    attempt = ParseDict({"attempt_id": "att_1", **told}, attempt_pb2.Attempt())
    outcome = outcome_of(attempt, attempt_pb2.GetAttemptResponse(), None)

    assert str(outcome) == text
    assert repr(outcome).startswith(type(outcome).__name__)


def test_a_payment_method_is_printed_as_on_a_receipt():
    card = wallet_pb2.PaymentMethod(kind="card", brand="visa", last4="4242")

    assert str(PaymentMethod.from_pb(card)) == "visa 4242"
    assert str(PaymentMethod.from_pb(wallet_pb2.PaymentMethod(kind="link"))) == "link"


def test_an_address_is_printed_in_one_masked_line():
    address = address_pb2.Address(name="A***", line="1** Main***", city="Berlin", country="DE")

    assert str(Address.from_pb(address)) == "A***, 1** Main***, Berlin, DE"


def test_a_page_is_gone_through_like_a_list():
    page = Page(items=["a", "b"], next_page_token=None)

    assert (list(page), len(page)) == (["a", "b"], 2)
