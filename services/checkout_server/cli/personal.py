"""A stored message as text that may be looked at over a shoulder and pasted into a ticket."""

from __future__ import annotations

import re
from collections.abc import Mapping

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

HIDDEN = "***"
# An amount or a moment: not worth four lines.
SMALL = re.compile(r" \{\n *([^{}\n]+)\n(?: *([^{}\n]+)\n)? *\}")
# What names a person or opens a door, by message. An Address is masked already, for its buyer.
PERSONAL: Mapping[str, frozenset[str]] = {
    "onetap.checkout.v1.PostalAddress": frozenset({"name", "lines", "postal_code", "phone"}),
    "onetap.checkout.v1.Address": frozenset({"postal_code"}),
    "onetap.checkout.v1.Contact": frozenset({"email", "phone"}),
    "onetap.checkout.v1.Risk": frozenset({"device_id", "ip_address", "user_agent"}),
    "onetap.checkout.v1.ActionRequired": frozenset({"redirect_url"}),
    "onetap.checkout.v1.ProviderAction": frozenset({"client_secret"}),
    "onetap.checkout.v1.Quote": frozenset({"quote_token"}),
    "onetap.checkout.v1.Choice": frozenset({"quote_token"}),
}


def as_text(message: Message) -> str:
    """Lines of `field: value`, personal data as ***."""
    shown = type(message)()
    shown.CopyFrom(message)
    _mask(shown)
    text = text_format.MessageToString(shown, as_utf8=True)
    return SMALL.sub(lambda match: f" {{ {' '.join(filter(None, match.groups()))} }}", text)


def _mask(message: Message) -> None:
    personal = PERSONAL.get(message.DESCRIPTOR.full_name, frozenset())
    for field, value in message.ListFields():
        if field.name in personal:
            _hide(message, field)
        elif field.message_type is None or field.message_type.GetOptions().map_entry:
            continue  # a map of this API holds words, never messages
        elif field.is_repeated:
            for each in value:
                _mask(each)
        else:
            _mask(value)


def _hide(message: Message, field: FieldDescriptor) -> None:
    if field.is_repeated:
        values = getattr(message, field.name)
        values[:] = [HIDDEN] * len(values)
    else:
        setattr(message, field.name, HIDDEN)
