"""What is used up of the limits that a purchase counts against. Read softly: the tap decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from checkout_server.database import Reader


class Counter(NamedTuple):
    kind: str
    id: str


class Used(NamedTuple):
    held: int
    committed: int


NOTHING = Used(0, 0)


async def used(reader: Reader, tag: str, counters: Sequence[Counter]) -> Mapping[Counter, Used]:
    """Those that exist: a counter is made by its first hold."""
    if not counters:
        return {}
    results = await reader.fetch_many(
        """
        SELECT held, committed FROM counter
        WHERE merchant = :tag AND kind = :kind AND id = :id
        """,
        [{"tag": tag, "kind": counter.kind, "id": counter.id} for counter in counters],
    )
    found = zip(counters, results, strict=True)
    return {counter: Used(*row) for counter, rows in found for row in rows}
