"""The parameters of a create, to the byte. A test that fails here is a second charge: the provider
refuses a retry whose parameters changed, so what a release has sent is never rendered differently.
Write a new version instead."""

from __future__ import annotations

import json

import pytest

from checkout_sdk._pb import merchant_pb2
from checkout_server.charge import provider_params
from tests.fakes.clock import FakeClock
from tests.services.charge.till import create_of

FULL = {
    "amount": 1000,
    "capture_method": "automatic",
    "confirm": True,
    "currency": "usd",
    "customer": "cus_1",
    "metadata": {"attempt": "att_1", "merchant": "mugs"},
    "payment_method": "pm_card_visa",
    "return_url": "https://app.example/back",
}
FULL_FINGERPRINT = "052f301510ca803e670cf5702961d10b5f4c5ff97204a68ab306c787e89d593e"
PLAIN_FINGERPRINT = "ca49a81ed88c25edcaba5fa87788e3a0b3665d8bce4439b3d71be86bffa8b52b"
TOMBSTONE_FINGERPRINT = "fb88702f510cde846cc52538348515684fbc557b4b8ad4e8cdd8b16845bc3d1c"


def test_version_1_of_a_create_is_what_it_always_was(clock: FakeClock):
    request = create_of("pm_card_visa", clock, provider_customer="cus_1", params_version=1)
    params = provider_params.render(request)
    assert params == FULL
    assert provider_params.fingerprint(params).hex() == FULL_FINGERPRINT


def test_version_1_leaves_out_what_is_not_set_and_captures_later_when_told(clock: FakeClock):
    manual = merchant_pb2.CAPTURE_MODE_MANUAL
    request = create_of("pm_card_visa", clock, return_url="", capture_mode=manual)
    params = provider_params.render(request)
    left = {name: FULL[name] for name in FULL if name not in ("customer", "return_url")}
    assert params == {**left, "capture_method": "manual"}
    assert provider_params.fingerprint(params).hex() == PLAIN_FINGERPRINT


def test_version_1_of_a_tombstone_confirms_nothing(clock: FakeClock):
    request = create_of("pm_card_visa", clock, provider_customer="cus_1", tombstone=True)
    params = provider_params.render(request)
    left = {name: FULL[name] for name in FULL if name != "return_url"}
    assert params == {**left, "confirm": False}
    assert provider_params.fingerprint(params).hex() == TOMBSTONE_FINGERPRINT


@pytest.mark.parametrize("field", ["key", "send_by"])
def test_what_belongs_to_the_sending_is_not_in_the_parameters(clock: FakeClock, field: str):
    first = create_of("pm_card_visa", clock)
    later = create_of("pm_card_visa", clock)
    later.ClearField(field)
    assert provider_params.render(later) == provider_params.render(first)


def test_a_fingerprint_does_not_depend_on_the_order_of_the_names():
    turned = dict(reversed(FULL.items()))
    assert json.dumps(turned) != json.dumps(FULL)
    assert provider_params.fingerprint(turned) == provider_params.fingerprint(FULL)


def test_the_version_that_rows_are_written_with_can_be_rendered():
    assert provider_params.LATEST in provider_params.RENDERERS
