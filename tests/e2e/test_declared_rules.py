"""Every declared rule of every public request: a counterexample of each goes to a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from grpc import StatusCode

from checkout_server import validation, wiring
from tests.e2e.conftest import Served
from tests.e2e.ledger import row_counts
from tests.e2e.samples import SAMPLES
from tests.e2e.wire import RPC_OF, Wire

PUBLIC = [kind for kind in wiring.RULES if kind.DESCRIPTOR.file.package == wiring.PUBLIC]


def name_of(kind: type[Message]) -> str:
    return kind.DESCRIPTOR.name


@pytest.mark.parametrize("kind", PUBLIC, ids=name_of)
def test_there_is_a_whole_sample_of(kind: type[Message]):
    sample = SAMPLES[kind]
    validation.check(sample, wiring.RULES)
    assert list(parts_not_set(sample, "")) == []


@pytest.mark.parametrize("kind", PUBLIC, ids=name_of)
async def test_each_rule_is_kept_by(kind: type[Message], served: Served, wire: Wire):
    broken = [
        (path, request)
        for rule in wiring.RULES[kind]
        for path, request in rule.broken(SAMPLES[kind])
    ]
    broken += with_control_characters(SAMPLES[kind])
    assert broken
    before = await row_counts(served.server)
    answers = await asyncio.gather(
        *(wire.ask(RPC_OF[kind], request.SerializeToString()) for _, request in broken)
    )
    for (path, request), answer in zip(broken, answers, strict=True):
        told = (answer.code, answer.reason)
        assert told == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"), f"{path}: {request}"
        # The whole is named where the part already broke a rule of the whole (an update mask).
        assert any(path == told or path.startswith(f"{told}.") for told in answer.fields)
        assert answer.is_told_by_us
    assert await row_counts(served.server) == before


def parts_not_set(message: Message, path: str) -> Iterator[str]:
    """Messages within that have none, but for those that would replace another one."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        where = f"{path}{field.name}"
        if field.is_repeated:
            for part in getattr(message, field.name):
                yield from parts_not_set(part, f"{where}.")
            if not getattr(message, field.name):
                yield where
        elif message.HasField(field.name):
            yield from parts_not_set(getattr(message, field.name), f"{where}.")
        elif not field.containing_oneof:
            yield where


def with_control_characters(sample: Message) -> Iterator[tuple[str, Message]]:
    """Copies of the request with one text that no request may hold."""
    for index in range(len(list(texts_in(sample, "")))):
        copy = deepcopy(sample)
        path, spoil = list(texts_in(copy, ""))[index]
        spoil("a\0b")
        yield path, copy


def texts_in(message: Message, path: str) -> Iterator[tuple[str, Callable[[str], None]]]:
    """The path of each text that is set, of repeated ones the first, and what sets it."""
    for field, value in message.ListFields():
        where = f"{path}{field.name}"
        if field.message_type is None:
            if field.type == FieldDescriptor.TYPE_STRING and field.is_repeated:
                yield f"{where}[0]", partial(value.__setitem__, 0)
            elif field.type == FieldDescriptor.TYPE_STRING:
                yield where, partial(setattr, message, field.name)
        elif field.message_type.GetOptions().map_entry:
            yield where, partial(value.__setitem__, "key")
        elif field.is_repeated:
            yield from texts_in(value[0], f"{where}[0].")
        else:
            yield from texts_in(value, f"{where}.")
