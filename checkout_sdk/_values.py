"""Values from messages, messages from values, JSON from values: once, by the names and types of the
fields.

A value is a frozen dataclass whose fields are named as in its message; the annotation says how each
is read: `str | None` is None where the message has an empty string, `timedelta` is a Duration,
`datetime` a Timestamp, an `OpenEnum` the enum of that name, `tuple[X, ...]` a repeated field. What
a class needs is worked out at its first use and kept. `tests/sdk/test_values.py` walks the
descriptors: a new proto field without a place here fails there.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


class OpenEnum(StrEnum):
    """An enum of the API, by the names of its values. Each has a member UNRECOGNIZED: what a newer
    server says and this SDK does not know yet (see `.raw` for the number)."""


class Value:
    """The base of every value an app sees."""

    __slots__ = ()
    PB: ClassVar[type[Message]]

    @classmethod
    def from_pb(cls, message: Any) -> Self:
        """From its protobuf message; `.raw` keeps the message where the class has it."""
        return cls(**read(cls, message))

    def to_pb(self) -> Any:
        """The protobuf message, as requests carry it."""
        fields = {}
        for field in _fields(type(self), self.PB):
            value = getattr(self, field.name)
            if field.encode is not None and value is not None:
                fields[field.name] = field.encode(value)
        return self.PB(**fields)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with stable keys: the field names; waits in seconds with `_s` at the end;
        moments in RFC 3339; amounts as `{amount_minor, currency, text}`; enums by name; what is not
        set as null."""
        return {
            field.json_name: json_of(getattr(self, field.name))
            for field in _fields(type(self), self.PB)
        }


def read(cls: type[Value], message: Any) -> dict[str, Any]:
    """Those arguments of `cls` that a message holds: its own message all, another what they
    share."""
    fields = _fields(cls, type(message))
    arguments = {field.name: field.read(message) for field in fields if field.read}
    if "raw" in cls.__dataclass_fields__:  # type: ignore[attr-defined]  # a dataclass, always
        arguments.setdefault("raw", message)
    return arguments


def json_of(value: Any) -> Any:
    match value:
        case Value():
            return value.to_json()
        case StrEnum():
            return value.value
        case timedelta():
            return value.total_seconds()
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case tuple():
            return [json_of(each) for each in value]
        case Mapping():
            return dict(value)
    return value


def pb_of(value: Any) -> Any:
    """What a protobuf field takes, from what an app gives."""
    match value:
        case Value():
            return value.to_pb()
        case timedelta():
            return duration(value)
        case datetime():
            return timestamp(value)
        case list() | tuple():
            return [pb_of(each) for each in value]
    return value


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    json_name: str
    read: Callable[[Any], Any] | None
    """None for what is not in the message: the caller adds it."""
    encode: Callable[[Any], Any] | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Codec:
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


_PLANS: dict[tuple[type[Value], type[Message]], tuple[_Field, ...]] = {}


def _fields(cls: type[Value], message: type[Message]) -> tuple[_Field, ...]:
    plan = _PLANS.get((cls, message))
    if plan is None:
        plan = _PLANS[cls, message] = _plan(cls, message.DESCRIPTOR)
    return plan


def _plan(cls: Any, descriptor: Any) -> tuple[_Field, ...]:
    hints = get_type_hints(cls)
    return tuple(
        _field(field.name, hints[field.name], descriptor.fields_by_name.get(field.name))
        for field in dataclasses.fields(cls)
        if field.name != "raw"
    )


def _field(name: str, hint: Any, descriptor: FieldDescriptor | None) -> _Field:
    kind, optional = _without_none(hint)
    json_name = f"{name}_s" if kind is timedelta else name
    if descriptor is None:
        return _Field(name, json_name, None, None)
    if get_origin(kind) is tuple:
        codec = _codec(get_args(kind)[0], descriptor)
        return _Field(
            name,
            json_name,
            lambda message: tuple(codec.decode(each) for each in getattr(message, name)),
            lambda values: [codec.encode(each) for each in values],
        )
    if get_origin(kind) is Mapping:
        return _Field(name, json_name, lambda message: dict(getattr(message, name)), dict)
    codec = _codec(kind, descriptor)
    return _Field(name, json_name, _reader(name, codec, optional, descriptor), codec.encode)


def _reader(
    name: str, codec: _Codec, optional: bool, descriptor: FieldDescriptor
) -> Callable[[Any], Any]:
    if not optional:
        return lambda message: codec.decode(getattr(message, name))
    if descriptor.has_presence:
        return lambda message: (
            codec.decode(getattr(message, name)) if message.HasField(name) else None
        )
    return lambda message: codec.decode(value) if (value := getattr(message, name)) else None


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    (kind,) = (each for each in get_args(hint) if each is not type(None))
    return kind, True


def _codec(kind: Any, descriptor: FieldDescriptor) -> _Codec:
    if typing.is_typeddict(kind):
        names = tuple(kind.__annotations__)
        return _Codec(lambda message: {name: getattr(message, name) for name in names}, _same)
    if kind is datetime:
        return _Codec(lambda message: message.ToDatetime(tzinfo=UTC), timestamp)
    if kind is timedelta:
        return _Codec(lambda message: message.ToTimedelta(), duration)
    if issubclass(kind, Value):
        return _Codec(kind.from_pb, kind.to_pb)
    if issubclass(kind, OpenEnum):
        assert descriptor.enum_type is not None
        return _enum_codec(kind, descriptor.enum_type)
    return _Codec(_same, _same)


E_ = TypeVar("E_", bound=OpenEnum)


def _enum_codec(kind: type[E_], descriptor: EnumDescriptor) -> _Codec:
    prefix = descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")
    by_number = {
        value.number: kind[name]
        for value in descriptor.values
        if (name := value.name.removeprefix(prefix)) in kind.__members__
    }
    numbers = {member: number for number, member in by_number.items()}
    return _Codec(
        lambda number: by_number.get(number, kind["UNRECOGNIZED"]),
        lambda member: numbers[member],
    )


def duration(value: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(value)
    return message


def timestamp(value: datetime) -> Timestamp:
    if value.tzinfo is None:
        raise ValueError("a moment needs a time zone: datetime.now(UTC), not datetime.now()")
    message = Timestamp()
    message.FromDatetime(value)
    return message
