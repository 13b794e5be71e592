"""The kinds of rules that `validation.py` declares: each finds what is wrong, and makes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from checkout_server.faults import Violation

M = TypeVar("M", bound=Message)
Accepts = Callable[[Any], bool]
# What must be, what passes, and samples of what must not.
Scalar = tuple[str, Accepts, tuple[Any, ...]]
# No pattern of this API takes it.
SNOWMAN = "\N{SNOWMAN}"


class Rule(Protocol):
    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        """What is wrong with `message`, which stands at `path` (empty: it is the request)."""
        ...

    def broken(self, valid: Message) -> Iterable[tuple[str, Message]]:
        """Copies of `valid` that break this rule, each with the path that its violation names."""
        ...


def at(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


def text_scalar(minimum: int, maximum: int, pattern: str | None, describe: str | None) -> Scalar:
    matches = re.compile(pattern).fullmatch if pattern else None

    def accepts(value: str) -> bool:
        if not minimum <= len(value) <= maximum:
            return False
        return matches is None or not value or matches(value) is not None

    span = f"{minimum} to {maximum}" if minimum else f"at most {maximum}"
    wrong = ["x" * (maximum + 1)]
    if minimum:
        wrong.append("x" * (minimum - 1))
    if matches:
        wrong.append(SNOWMAN * max(minimum, 1))
    return describe or f"must have {span} characters", accepts, tuple(wrong)


def integer_scalar(lo: int, hi: int) -> Scalar:
    def accepts(value: int) -> bool:
        return lo <= value <= hi

    return f"must be from {lo} to {hi}", accepts, (lo - 1, hi + 1)


@dataclass(frozen=True, slots=True)
class Value:
    """One field whose value, whatever its kind, passes or does not."""

    field: str
    must: str
    accepts: Accepts
    wrong: tuple[Any, ...]
    only_when_set: bool = False

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        if self.accepts(getattr(message, self.field)):
            return ()
        if self.only_when_set and not message.HasField(self.field):
            return ()
        return (Violation(at(path, self.field), self.must),)

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        for value in self.wrong:
            yield self.field, _with(valid, self.field, value)


@dataclass(frozen=True, slots=True)
class EachValue:
    """Every value of a repeated scalar field."""

    field: str
    must: str
    accepts: Accepts
    wrong: tuple[Any, ...]

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        values = getattr(message, self.field)
        return [
            Violation(f"{at(path, self.field)}[{index}]", self.must)
            for index, value in enumerate(values)
            if not self.accepts(value)
        ]

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        for value in self.wrong:
            yield f"{self.field}[0]", _with(valid, self.field, [value])


@dataclass(frozen=True, slots=True)
class Count:
    """How many a repeated field has. `filler` is one more entry; a message field needs none."""

    field: str
    at_least: int
    at_most: int
    filler: Any = None

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        if self.at_least <= len(getattr(message, self.field)) <= self.at_most:
            return ()
        must = f"must have {self.at_least} to {self.at_most} entries"
        return (Violation(at(path, self.field), must),)

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        many = _copy(valid)
        entries = getattr(many, self.field)
        while len(entries) <= self.at_most:
            if self.filler is None:
                entries.add()
            else:
                entries.append(self.filler)
        yield self.field, many
        if self.at_least:
            few = _copy(valid)
            del getattr(few, self.field)[self.at_least - 1 :]
            yield self.field, few


@dataclass(frozen=True, slots=True)
class Each:
    """Rules for every message of a repeated field."""

    field: str
    rules: tuple[Rule, ...]

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        return [
            violation
            for index, entry in enumerate(getattr(message, self.field))
            for rule in self.rules
            for violation in rule.violations(entry, f"{at(path, self.field)}[{index}]")
        ]

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        if not getattr(valid, self.field):
            return
        for rule in self.rules:
            for path, entry in rule.broken(getattr(valid, self.field)[0]):
                copy = _copy(valid)
                getattr(copy, self.field)[0].CopyFrom(entry)
                yield f"{self.field}[0].{path}", copy


@dataclass(frozen=True, slots=True)
class Nested:
    """Rules for a message field, when it is set."""

    field: str
    rules: tuple[Rule, ...]

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        if not message.HasField(self.field):
            return ()
        inner, where = getattr(message, self.field), at(path, self.field)
        return [violation for rule in self.rules for violation in rule.violations(inner, where)]

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        for rule in self.rules:
            for path, inner in rule.broken(getattr(valid, self.field)):
                yield f"{self.field}.{path}", _with(valid, self.field, inner)


@dataclass(frozen=True, slots=True)
class Required:
    """A message field that must be set."""

    field: str

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        if message.HasField(self.field):
            return ()
        return (Violation(at(path, self.field), "must be set"),)

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        copy = _copy(valid)
        copy.ClearField(self.field)
        yield self.field, copy


@dataclass(frozen=True, slots=True)
class Enumerated:
    """An enum's number that this release knows; proto3 lets any through."""

    field: str
    required: bool

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        number = getattr(message, self.field)
        kind = message.DESCRIPTOR.fields_by_name[self.field].enum_type
        if kind is None:
            raise AssertionError(f"{self.field} is no enum")
        if number in kind.values_by_number and (number or not self.required):
            return ()
        names = [value.name for value in kind.values if value.number or not self.required]
        return (Violation(at(path, self.field), f"must be one of: {', '.join(names)}"),)

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        yield self.field, _with(valid, self.field, 9_999)
        if self.required:
            yield self.field, _with(valid, self.field, 0)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A proto `oneof` with a member set."""

    name: str

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        if message.WhichOneof(self.name):
            return ()
        members = message.DESCRIPTOR.oneofs_by_name[self.name].fields
        names = ", ".join(member.name for member in members)
        return (Violation(at(path, self.name), f"must be one of: {names}"),)

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        copy = _copy(valid)
        copy.ClearField(self.name)
        yield self.name, copy


@dataclass(frozen=True, slots=True)
class Choice:
    """Of some plain fields at most one is set, and at least `at_least`. The first is named."""

    fields: tuple[str, ...]
    at_least: int

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        present = sum(_is_set(message, field) for field in self.fields)
        if self.at_least <= present <= 1:
            return ()
        how_many = "exactly one" if self.at_least else "at most one"
        must = f"{how_many} of {', '.join(self.fields)} must be set"
        return (Violation(at(path, self.fields[0]), must),)

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        both = _copy(valid)
        for field in self.fields:
            _set(both, field)
        yield self.fields[0], both
        if self.at_least:
            neither = _copy(valid)
            for field in self.fields:
                neither.ClearField(field)
            yield self.fields[0], neither


@dataclass(frozen=True, slots=True)
class Counted:
    """How many, and only then each of them: 64 KiB hold some 30,000 empty entries, and to look into
    them all would keep everybody else waiting for a third of a second."""

    count: Count
    entries: Each | EachValue

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        return self.count.violations(message, path) or self.entries.violations(message, path)

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        yield from self.count.broken(valid)
        yield from self.entries.broken(valid)


@dataclass(frozen=True, slots=True)
class All:
    """Several rules under one name."""

    rules: tuple[Rule, ...]

    def violations(self, message: Message, path: str) -> Sequence[Violation]:
        return [violation for rule in self.rules for violation in rule.violations(message, path)]

    def broken(self, valid: Message) -> Iterator[tuple[str, Message]]:
        for rule in self.rules:
            yield from rule.broken(valid)


def _copy(message: M) -> M:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _with(message: M, field: str, value: Any) -> M:
    copy = _copy(message)
    if isinstance(value, Message):
        getattr(copy, field).CopyFrom(value)
        getattr(copy, field).SetInParent()
    elif isinstance(value, Mapping):
        getattr(copy, field).clear()
        getattr(copy, field).update(value)
    elif isinstance(value, list):
        del getattr(copy, field)[:]
        getattr(copy, field).extend(value)
    else:
        setattr(copy, field, value)
    return copy


def _is_set(message: Message, field: str) -> bool:
    if message.DESCRIPTOR.fields_by_name[field].has_presence:
        return message.HasField(field)
    return bool(getattr(message, field))


def _set(message: Message, field: str) -> None:
    if _is_set(message, field):
        return
    value = getattr(message, field)
    if isinstance(value, Message):
        value.SetInParent()
    else:
        setattr(message, field, "x" if isinstance(value, str) else 1)
