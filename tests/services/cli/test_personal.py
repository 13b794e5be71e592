"""What a person is shown of a stored message."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pool, message_factory

from checkout_sdk._pb import address_pb2, attempt_pb2, money_pb2, order_pb2
from checkout_server._pb import stored_pb2
from checkout_server.cli.personal import PERSONAL, as_text

FIELDS = [(message, field) for message, fields in PERSONAL.items() for field in sorted(fields)]


@pytest.mark.parametrize(("message", "field"), FIELDS)
def test_a_personal_field_is_hidden(message: str, field: str):
    descriptor = descriptor_pool.Default().FindMessageTypeByName(message)
    repeated = descriptor.fields_by_name[field].is_repeated
    made = message_factory.GetMessageClass(descriptor)(**{field: ["Ada"] if repeated else "Ada"})
    assert as_text(made) == f'{field}: "***"\n'


def test_it_is_hidden_wherever_it_stands():
    record = stored_pb2.AttemptRecord(
        risk=attempt_pb2.Risk(ip_address="203.0.113.9"),
        action=attempt_pb2.ActionRequired(
            provider_action=attempt_pb2.ProviderAction(client_secret="cs_1")
        ),
    )
    text = as_text(record)
    assert "203.0.113.9" not in text
    assert "cs_1" not in text


def test_every_line_of_an_address_is_hidden():
    typed = address_pb2.PostalAddress(country="US", lines=["1 Main St", "Flat 2"])
    assert as_text(typed) == 'country: "US"\nlines: "***"\nlines: "***"\n'


def test_showing_a_message_does_not_change_it():
    typed = address_pb2.PostalAddress(name="Ada")
    as_text(typed)
    assert typed.name == "Ada"


def test_an_amount_takes_one_line():
    order = order_pb2.Order(captured=money_pb2.Money(amount_minor=490, currency="USD"))
    assert as_text(order) == 'captured { amount_minor: 490 currency: "USD" }\n'
