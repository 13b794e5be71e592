"""What a buyer keeps with us: a short list, the default first, then the newest.

Addresses and payment methods are such lists, each in a table of its own database. What can go
wrong is two changes at once: two defaults, none, or one entry too many. So every change first
takes the buyer's turn, a row of its own, and waits there for the other. The partial unique index
is the last line, not the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from checkout_server import ids
from checkout_server.call import Caller
from checkout_server.database import Reader, Row, Tx
from checkout_server.faults import invalid
from checkout_server.paging import DEFAULT_PAGE_SIZE, page_token, position_of

MOST_SAVED = 100  # nobody has more; a script that saves for ever must stop somewhere

THEIRS = "platform_id = :platform_id AND buyer_id = :buyer_id"
# Counts the changes of one buyer's list, of which there is one at a time. The count also orders
# the entries: two of the same millisecond still have a newer one.
TURN = """
INSERT INTO buyer (platform_id, buyer_id, changes) VALUES (:platform_id, :buyer_id, 1)
ON CONFLICT (platform_id, buyer_id) DO UPDATE SET changes = buyer.changes + 1
RETURNING changes
"""


@dataclass(frozen=True, slots=True)
class Owner:
    platform_id: str
    buyer_id: str

    @classmethod
    def of(cls, caller: Caller, named_buyer: str) -> Owner:
        """The buyer a call is for, on the caller's own platform."""
        return cls(caller.platform, caller.required_buyer(named_buyer))

    @property
    def request_scope(self) -> str:
        """Where a request_id is unique: the apps of two buyers may well choose the same."""
        return f"{ids.tag(self.platform_id)}:{self.buyer_id}"

    @property
    def columns(self) -> dict[str, Any]:
        return {"platform_id": self.platform_id, "buyer_id": self.buyer_id}


@dataclass(frozen=True, slots=True)
class Saved:
    """One entry, with its stored message."""

    id: str
    is_default: bool
    body: bytes


class SavedList:
    """The SQL of one such table: `key` is its id column, `also` what it has beyond the common."""

    def __init__(self, table: str, key: str, *also: str) -> None:
        names = ("platform_id", "buyer_id", key, "number", "state", "is_default", "body", *also)
        values = (f":{name}" for name in names)
        saved = f"FROM {table} WHERE {THEIRS} AND state = 'SAVED'"
        update = f"UPDATE {table} SET"
        self._table = table
        self._key = key
        self.entries = f"SELECT {key}, is_default, body {saved}"
        self._by_id = f"{self.entries} AND {key} = :{key}"
        self._default = f"{self.entries} AND is_default = 1"
        self._first_page = f"{self.entries} ORDER BY is_default DESC, number DESC LIMIT :count"
        # The default of the first page is not shown again, wherever it belongs by its age.
        self._next_page = f"""
{self.entries} AND {key} <> :shown_first AND number < COALESCE(
  (SELECT number FROM {table} WHERE {THEIRS} AND {key} = :after), {2**63 - 1})
ORDER BY number DESC LIMIT :count
"""
        self._count = f"SELECT COUNT(*) {saved}"
        self._insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(values)})"
        self._clear_default = f"{update} is_default = 0 WHERE {THEIRS} AND is_default = 1"
        self._set_default = f"{update} is_default = 1 WHERE {THEIRS} AND {key} = :{key}"
        self._default_to_newest = f"""
{update} is_default = 1
WHERE {THEIRS} AND number = (SELECT MAX(number) {saved})
  AND NOT EXISTS (SELECT 1 FROM {table} WHERE {THEIRS} AND is_default = 1)
"""
        self._remove = (
            f"{update} state = 'DELETED', is_default = 0 WHERE {THEIRS} AND {key} = :{key}"
        )

    async def turn(self, tx: Tx, owner: Owner) -> int:
        """Waits for the buyer's other changes to end; theirs wait for this transaction."""
        [(changes,)] = await tx.fetch(TURN, **owner.columns)
        return int(changes)

    async def add(
        self, tx: Tx, owner: Owner, saved_id: str, body: bytes, *, default: bool, **also: str
    ) -> Saved:
        number = await self.turn(tx, owner)
        [(count,)] = await tx.fetch(self._count, **owner.columns)
        if count >= MOST_SAVED:
            raise invalid("buyer_id", f"has {MOST_SAVED} of these saved; delete one first")
        row: dict[str, Any] = {**owner.columns, self._key: saved_id, "number": number, **also}
        await tx.run(self._insert, **row, state="SAVED", is_default=0, body=body)
        saved = Saved(saved_id, count == 0, body)
        if default:
            return await self._point_to(tx, owner, saved)
        await tx.run(self._default_to_newest, **owner.columns)
        return saved

    async def make_default(self, tx: Tx, owner: Owner, saved_id: str) -> Saved | None:
        await self.turn(tx, owner)
        saved = await self.find(tx, owner, saved_id)
        return await self._point_to(tx, owner, saved) if saved else None

    async def remove(self, tx: Tx, owner: Owner, saved_id: str) -> bool:
        """Hides it. True as well when it was hidden before, False when there never was one."""
        await self.turn(tx, owner)
        hidden = await tx.run(self._remove, **owner.columns | {self._key: saved_id})
        await tx.run(self._default_to_newest, **owner.columns)
        return hidden > 0

    async def find(self, reader: Reader, owner: Owner, saved_id: str) -> Saved | None:
        """The entry of that id, or the default when it is empty."""
        if saved_id:
            rows = await reader.fetch(self._by_id, **owner.columns | {self._key: saved_id})
        else:
            rows = await reader.fetch(self._default, **owner.columns)
        return saved_of(rows[0]) if rows else None

    async def page(
        self, reader: Reader, owner: Owner, *, size: int, token: str
    ) -> tuple[list[Saved], str]:
        """One page, and the token of the next; empty on the last."""
        size = size or DEFAULT_PAGE_SIZE
        listing = "\0".join((self._table, owner.platform_id, owner.buyer_id))
        shown_first = ""
        if token:
            after, _, shown_first = position_of(token, listing).partition(".")
            rows = await reader.fetch(
                self._next_page,
                **owner.columns,
                after=after,
                shown_first=shown_first,
                count=size + 1,
            )
        else:
            rows = await reader.fetch(self._first_page, **owner.columns, count=size + 1)
        page = [saved_of(row) for row in rows[:size]]
        if len(rows) <= size:
            return page, ""
        shown_first = shown_first or page[0].id
        # A page of the default alone says nothing of how far down the list it came.
        after = page[-1].id if page[-1].id != shown_first else ""
        return page, page_token(listing, f"{after}.{shown_first}")

    async def _point_to(self, tx: Tx, owner: Owner, saved: Saved) -> Saved:
        await tx.run(self._clear_default, **owner.columns)
        await tx.run(self._set_default, **owner.columns | {self._key: saved.id})
        return replace(saved, is_default=True)


def saved_of(row: Row) -> Saved:
    saved_id, is_default, body = row
    return Saved(saved_id, bool(is_default), bytes(body))
