"""`checkout-server show ID`: a stored row, for a person. Reads only, also while a server writes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from textwrap import indent
from typing import Annotated, Any, NoReturn

import typer
from google.protobuf.message import Message

from checkout_sdk._pb import attempt_pb2, offer_pb2
from checkout_server import ids
from checkout_server._pb import stored_pb2
from checkout_server.checkout.store import NAMES as ATTEMPT_COLUMNS
from checkout_server.cli.personal import as_text
from checkout_server.cli.serve import refuse, settings_or_exit
from checkout_server.cli.table import aligned
from checkout_server.database import CannotOpen, Row
from checkout_server.database.open import open_readonly

NO_SUCH_ROW = 1


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: Sequence[str]
    # Those of its columns that hold one.
    messages: Mapping[str, type[Message]] = field(default_factory=dict)
    order: str = "1"

    def select(self, *equal: str) -> str:
        where = " AND ".join(f"{column} = :{column}" for column in equal)
        columns = ", ".join(self.columns)
        return f"SELECT {columns} FROM {self.name} WHERE {where} ORDER BY {self.order}"


@dataclass(frozen=True, slots=True)
class Kind:
    """What an id with a prefix names: a row, and rows that belong to it by one of its columns."""

    database: str
    table: Table
    key: str
    beneath: Sequence[tuple[Table, str, str]] = ()


ATTEMPT = Table(
    "attempt",
    ATTEMPT_COLUMNS,
    {"body": stored_pb2.AttemptRecord, "outcome": attempt_pb2.Attempt},
)
ORDER = Table(
    "orders",
    (
        *("merchant", "order_id", "platform_id", "attempt_id", "buyer_id", "state"),
        *("payment_state", "version", "provider_intent", "total_minor", "captured_minor"),
        *("refunded_minor", "created_ms", "body"),
    ),
    {"body": stored_pb2.OrderRecord},
)
OFFER = Table(
    "offer",
    (
        *("merchant", "offer_id", "platform_id", "state", "epoch"),
        *("starts_ms", "ends_ms", "created_ms", "body"),
    ),
    {"body": offer_pb2.Offer},
)
OPERATION = Table(
    "money_operation",
    ("number", "state", "worker", "worker_epoch", "next_ms", "tries", "body"),
    {"body": stored_pb2.MoneyOperation},
    order="number",
)
# Without their bodies: each is the attempt or the order as it was then.
EVENT = Table("outbox", ("seq", "kind", "event_id", "created_ms", "published_ms"), order="seq")
ADDRESS = Table(
    "address",
    ("platform_id", "address_id", "buyer_id", "number", "state", "is_default", "body"),
    {"body": stored_pb2.AddressRecord},
)
PAYMENT_METHOD = Table(
    "payment_method",
    ("platform_id", "payment_method_id", "buyer_id", "number", "state", "is_default", "body"),
    {"body": stored_pb2.PaymentMethodRecord},
)
KINDS: Mapping[str, Kind] = {
    "att": Kind("checkout", ATTEMPT, "attempt_id", [(EVENT, "subject", "attempt_id")]),
    "ord": Kind(
        "checkout",
        ORDER,
        "order_id",
        [(OPERATION, "order_id", "order_id"), (EVENT, "subject", "attempt_id")],
    ),
    "off": Kind("checkout", OFFER, "offer_id"),
    "adr": Kind("address", ADDRESS, "address_id"),
    "pmt": Kind("payment", PAYMENT_METHOD, "payment_method_id"),
}


def show(
    row_id: Annotated[str, typer.Argument(metavar="ID", help="att_, ord_, off_, adr_ or pmt_...")],
) -> None:
    """Print what is stored under an id, decoded. Personal data is masked; nothing is changed."""
    kind = KINDS.get(row_id.partition("_")[0])
    tag = ids.tag_of(row_id, row_id.partition("_")[0])
    if kind is None or tag is None:
        _no_such_row(f"{row_id} is no id of ours: {', '.join(f'{one}_...' for one in KINDS)}")
    try:
        text = asyncio.run(_shown(settings_or_exit().database, kind, row_id, tag))
    except CannotOpen as error:
        refuse(error)
    if text is None:
        _no_such_row(f"there is no {row_id} in this database (CHECKOUT_DATABASE)")
    print(text, end="")


def _no_such_row(why: str) -> NoReturn:
    print(f"checkout-server: {why}", file=sys.stderr)
    raise typer.Exit(NO_SUCH_ROW)


async def _shown(location: str, kind: Kind, row_id: str, tag: str) -> str | None:
    by_id: dict[str, Any] = {kind.key: row_id}
    if kind.database == "checkout":
        by_id["merchant"] = tag  # it leads every key there
    async with open_readonly(location, kind.database) as reader:
        rows = await reader.fetch(kind.table.select(*by_id), **by_id)
        if not rows:
            return None
        blocks = [_block(kind.table, rows[0])]
        found = dict(zip(kind.table.columns, rows[0], strict=True))
        for table, column, of_row in kind.beneath:
            belongs = {"merchant": tag, column: found[of_row]}
            rows = await reader.fetch(table.select(*belongs), **belongs)
            blocks += [_block(table, row) for row in rows] if table.messages else _list(table, rows)
    return "\n".join(blocks)


def _block(table: Table, row: Row) -> str:
    return "\n".join([table.name, *_lines(table, row), ""])


def _list(table: Table, rows: Sequence[Row]) -> list[str]:
    """Rows that are short enough for a line each."""
    if not rows:
        return []
    cells = [
        [_value(column, value) for column, value in zip(table.columns, row, strict=True)]
        for row in rows
    ]
    lines = (f"  {line}" for line in aligned(table.columns, cells))
    return ["\n".join([table.name, *lines, ""])]


def _lines(table: Table, row: Row) -> Iterator[str]:
    width = max(map(len, table.columns))
    for column, value in zip(table.columns, row, strict=True):
        message = table.messages.get(column)
        if message is None:
            yield f"  {column.ljust(width)}  {_value(column, value)}"
        elif value is not None:
            yield f"  {column}"
            yield indent(as_text(message.FromString(value)).rstrip(), "    ")


def _value(column: str, value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if column.endswith("_ms") and value:
        moment = datetime.fromtimestamp(value / 1000, UTC)
        return f"{value}  {moment:%Y-%m-%d %H:%M:%S}Z"
    return "-" if value in (None, "") else str(value)
