"""Tables of a TOML file as messages of the API: the file's keys are the API's field names.

What is easier for people is taken too: an amount as a whole number of minor units (the currency is
the merchant's), a moment as TOML has them, an enum by the end of its name. What is wrong is told by
its place in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

MONEY = "onetap.checkout.v1.Money"
# By the message that a field holds, then by the Python type that its values have.
MUST = {
    MONEY: "minor units of the merchant's currency, like 490",
    "google.protobuf.Timestamp": "a moment with its time zone, like 2026-12-24T18:00:00Z",
    "google.protobuf.Duration": 'seconds, like "1800s"',
    FieldDescriptor.CPPTYPE_INT32: "a whole number",
    FieldDescriptor.CPPTYPE_INT64: "a whole number",
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
    FieldDescriptor.CPPTYPE_STRING: "text in quotes",
}
# Not a shop's to say.
SET_BY_THE_SERVER = frozenset({"version", "update_time"})


class WrongKey(Exception):
    """A key of the file, and what it must be."""

    def __init__(self, path: str, must: str) -> None:
        super().__init__(f"{path} {must}")


def read(message_type: type[M], values: Any, *, path: str, currency: str) -> M:
    """Raises WrongKey. `path` is where `values` stand in the file: `delivery_options[2]`."""
    if not isinstance(values, dict):
        raise WrongKey(path, "must be a table")
    message = message_type()
    fields: Mapping[str, Any] = message.DESCRIPTOR.fields_by_name
    keys = [name for name in fields if name not in SET_BY_THE_SERVER]
    for key, value in values.items():
        if key not in keys:
            raise WrongKey(f"{path}.{key}", f"is no key here; there are: {', '.join(keys)}")
        _fill(message, fields[key], value, path=f"{path}.{key}", currency=currency)
    return message


def _fill(
    message: Message, field: FieldDescriptor, value: Any, *, path: str, currency: str
) -> None:
    one_of = field.containing_oneof
    other = message.WhichOneof(one_of.name) if one_of else None
    if other:
        raise WrongKey(path, f"cannot stand beside {other}")
    try:
        ParseDict({field.name: _as_json(field, value, currency)}, message)
    except ParseError:
        raise WrongKey(path, f"must be {_must_be(field)}") from None


def _as_json(field: FieldDescriptor, value: Any, currency: str) -> Any:
    if field.enum_type:
        prefix = _prefix(field.enum_type)
        return prefix + str(value).removeprefix(prefix)
    if isinstance(value, datetime) and value.tzinfo:
        return value.isoformat()
    if field.message_type and field.message_type.full_name == MONEY and type(value) is int:
        return {"amount_minor": value, "currency": currency}
    return value


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values[0].name.removesuffix("UNSPECIFIED")


def _must_be(field: FieldDescriptor) -> str:
    if field.enum_type:
        names = [
            value.name.removeprefix(_prefix(field.enum_type)) for value in field.enum_type.values
        ]
        return f"one of: {', '.join(names[1:])}"
    if field.message_type:
        return MUST.get(field.message_type.full_name, "a table of text")
    kind = MUST[field.cpp_type]
    return f"a list of {kind}" if field.is_repeated else kind
