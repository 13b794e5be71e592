"""What a request must look like, declared once per message type and checked before any handler.

A room's `rules.py` exports `RULES`, a table from request type to rules. A rule says two things:
what is wrong with a message (`violations`), and how to make a valid message wrong (`broken`), so
that one test can send a counterexample of every declared rule over gRPC. Rules look at one message;
whatever needs a row of the database or the clock stays in the service, as `faults.invalid`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from urllib.parse import urlsplit

from babel.core import get_global
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from checkout_server import ids
from checkout_server._validation import (
    All,
    Choice,
    Count,
    Counted,
    Each,
    EachValue,
    Enumerated,
    Nested,
    OneOf,
    Required,
    Rule,
    Value,
    at,
    integer_scalar,
    text_scalar,
)
from checkout_server.faults import Fault, Violation
from checkout_server.settings import LOOPBACK_HOSTS

# Unicode's control characters: they break logs, terminals and PostgreSQL (NUL), and no name needs
# one. Lone surrogates cannot be encoded again.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
NO_CONTROL = "must hold no control characters"
# A request of 64 KiB can be wrong in thousands of places; an answer's metadata may have 8 KiB.
MOST_VIOLATIONS = 10
# 9999-12-31T23:59:59Z, the last second a protobuf Timestamp may name.
LAST_SECOND = 253_402_300_799
# What is legal tender somewhere today: CLDR also lists the past (DEM) and the odd (XXX, XAU).
CURRENCIES = frozenset(
    code
    for of_territory in get_global("territory_currencies").values()
    for code, _since, until, tender in of_territory
    if tender and until is None
)


Rules = Mapping[type[Message], tuple[Rule, ...]]


def check(request: Message, rules: Rules) -> None:
    """Raises INVALID_FIELD with what is wrong, if anything is.

    Every type has an entry, if only `()`: `handlers.py` refuses to register a call without one.
    """
    found = [
        violation for rule in rules[type(request)] for violation in rule.violations(request, "")
    ]
    if not found:
        found.extend(Violation(path, NO_CONTROL) for path in _control_characters(request, ""))
    if found:
        raise Fault("INVALID_FIELD", violations=found[:MOST_VIOLATIONS])


# Text and numbers


def text(
    field: str,
    *,
    maximum: int,
    minimum: int = 0,
    pattern: str | None = None,
    describe: str | None = None,
) -> Rule:
    """From `minimum` to `maximum` characters, all of it matching `pattern`.

    Empty passes when minimum is 0. `describe` replaces the violation's "must have ..."; a pattern
    needs one that people understand.
    """
    return Value(field, *text_scalar(minimum, maximum, pattern, describe))


def integer(field: str, lo: int, hi: int) -> Rule:
    return Value(field, *integer_scalar(lo, hi))


def request_id() -> Rule:
    return text("request_id", minimum=1, maximum=64)


def buyer() -> Rule:
    """`buyer_id`: whether it may be left out is decided by the token, in `Caller`."""
    return text("buyer_id", maximum=128)


def page() -> Rule:
    return All((integer("page_size", 0, 200), text("page_token", maximum=200)))


def id_of(field: str, prefix: str, *, required: bool = True) -> Rule:
    """The form of an id of ours only. A well-formed id of nothing is NOT_FOUND, later."""

    def accepts(value: str) -> bool:
        if not value:
            return not required
        return ids.tag_of(value, prefix) is not None

    wrong = ("x", f"{prefix}_x", f"zzz_{'x' * 30}", *(("",) if required else ()))
    return Value(field, f"must be an id that starts with {prefix}_", accepts, wrong)


def url(
    field: str, *, maximum: int = 500, required: bool = False, https_only: bool = False
) -> Rule:
    """https, or http on loopback unless `https_only`. No user or password within."""
    must = "must be an https URL" + ("" if https_only else ", or http on loopback")

    def accepts(value: str) -> bool:
        if not value:
            return not required
        return len(value) <= maximum and _web_address(value, https_only=https_only)

    too_long = "https://example.com/" + "x" * maximum
    off_loopback = "http://localhost/" if https_only else "http://example.com/"
    wrong = (too_long, off_loopback, "javascript:alert(1)", "https://", "https://a:b@example.com/")
    return Value(
        field,
        f"{must}, of at most {maximum} characters",
        accepts,
        (*wrong, "") if required else wrong,
    )


def currency(field: str) -> Rule:
    return Value(
        field,
        "must be an ISO 4217 currency in use, in capital letters",
        CURRENCIES.__contains__,
        ("", "usd", "XXX", "DEM"),
    )


def known_enum(field: str, *, required: bool = False) -> Rule:
    """A number this release has a name for; not UNSPECIFIED when required."""
    return Enumerated(field, required)


# Parts of a message


def required(field: str) -> Rule:
    """A message field that must be set."""
    return Required(field)


def nested(field: str, rules: tuple[Rule, ...]) -> Rule:
    """Rules for a message field, when it is set."""
    return Nested(field, rules)


def money(field: str, *, minimum: int = 0, maximum: int = 10**12) -> Rule:
    """When set: an amount within bounds, in a currency that exists."""
    return nested(field, (integer("amount_minor", minimum, maximum), currency("currency")))


def timestamp(field: str, *, required: bool = False) -> Rule:
    """From 1970 to 9999."""
    rule = nested(field, (integer("seconds", 0, LAST_SECOND), integer("nanos", 0, 999_999_999)))
    return All((Required(field), rule)) if required else rule


def duration(field: str, lo_ms: int, hi_ms: int) -> Rule:
    """When set: from lo to hi, both included."""

    def accepts(value: Duration) -> bool:
        if abs(value.nanos) > 999_999_999 or value.seconds * value.nanos < 0:
            return False
        nanos = value.seconds * 10**9 + value.nanos
        return lo_ms * 10**6 <= nanos <= hi_ms * 10**6

    wrong = (_duration(lo_ms - 1), _duration(hi_ms + 1), Duration(seconds=1, nanos=-1))
    must = f"must be from {lo_ms / 1000:g} s to {hi_ms / 1000:g} s"
    return Value(field, must, accepts, wrong, only_when_set=True)


def each(field: str, rules: tuple[Rule, ...], *, at_most: int, at_least: int = 0) -> Rule:
    """Rules for every message of a repeated field, and how many there may be."""
    return Counted(Count(field, at_least, at_most), Each(field, rules))


def each_text(
    field: str,
    *,
    maximum: int,
    at_most: int,
    minimum: int = 1,
    at_least: int = 0,
    pattern: str | None = None,
    describe: str | None = None,
) -> Rule:
    """The same for a repeated string."""
    one = EachValue(field, *text_scalar(minimum, maximum, pattern, describe))
    return Counted(Count(field, at_least, at_most, filler="x" * minimum), one)


def each_integer(field: str, lo: int, hi: int, *, at_most: int, at_least: int = 0) -> Rule:
    """The same for a repeated integer."""
    one = EachValue(field, *integer_scalar(lo, hi))
    return Counted(Count(field, at_least, at_most, filler=lo), one)


def map_of(field: str, *, at_most: int, key_max: int, value_max: int) -> Rule:
    """A map from text to text; keys are not empty."""

    def accepts(value: Mapping[str, str]) -> bool:
        return len(value) <= at_most and all(
            0 < len(key) <= key_max and len(one) <= value_max for key, one in value.items()
        )

    too_many = {str(number): "" for number in range(at_most + 1)}
    wrong = (too_many, {"": "x"}, {"x" * (key_max + 1): ""}, {"x": "x" * (value_max + 1)})
    must = (
        f"must have at most {at_most} entries, with keys of 1 to {key_max} "
        f"and values of at most {value_max} characters"
    )
    return Value(field, must, accepts, wrong)


def mask(field: str, *paths: str) -> Rule:
    """An update mask: not empty, and only of these paths."""
    allowed = frozenset(paths)

    def accepts(value: FieldMask) -> bool:
        return bool(value.paths) and allowed.issuperset(value.paths)

    wrong = (FieldMask(), FieldMask(paths=["no_such_field"]))
    return Value(field, f"must name one or more of: {', '.join(paths)}", accepts, wrong)


# Choices


def exactly_one(oneof: str) -> Rule:
    """One member of a proto `oneof` is set."""
    return OneOf(oneof)


def one_of_fields(*fields: str) -> Rule:
    """Exactly one of these fields is set."""
    return Choice(fields, 1)


def at_most_one(*fields: str) -> Rule:
    """Not two of these fields are set."""
    return Choice(fields, 0)


def _web_address(value: str, *, https_only: bool) -> bool:
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or any(char.isspace() for char in value):
        return False
    if parts.scheme == "https":
        return True
    return not https_only and parts.scheme == "http" and host in LOOPBACK_HOSTS


def _duration(milliseconds: int) -> Duration:
    value = Duration()
    value.FromMilliseconds(milliseconds)
    return value


TEXT, PARTS, TEXTS, MANY, TEXT_MAP, OTHER = range(6)


@cache
def _kind(field: FieldDescriptor) -> int:
    """Descriptors answer slowly and never change; all our messages have a few hundred fields."""
    if field.message_type and field.message_type.GetOptions().map_entry:
        return TEXT_MAP  # test_validation walks the protos: all our maps are from text to text
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXTS if field.is_repeated else TEXT
    if field.message_type:
        return MANY if field.is_repeated else PARTS
    return OTHER


def _control_characters(message: Message, path: str) -> Iterator[str]:
    """The paths of all text, however deep, that holds a control character."""
    for field, value in message.ListFields():
        kind = _kind(field)
        if kind == TEXT:
            if _unclean(value):
                yield at(path, field.name)
        elif kind == PARTS:
            yield from _control_characters(value, at(path, field.name))
        elif kind == TEXTS:
            where = at(path, field.name)
            yield from (f"{where}[{index}]" for index, one in enumerate(value) if _unclean(one))
        elif kind == MANY:
            for index, one in enumerate(value):
                yield from _control_characters(one, f"{at(path, field.name)}[{index}]")
        elif kind == TEXT_MAP and any(_unclean(one) for pair in value.items() for one in pair):
            yield at(path, field.name)


def _unclean(value: str) -> bool:
    # What is printable has no control character; asking first is twice as fast for a quote token.
    return not value.isprintable() and CONTROL.search(value) is not None
