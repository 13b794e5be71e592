"""Items and their stock counters. A counter is made with its item and never deleted."""

from __future__ import annotations

from collections.abc import Sequence

from checkout_sdk._pb.item_pb2 import Item, Stock
from checkout_server.database import Reader, Tx


async def items(reader: Reader, tag: str, skus: Sequence[str]) -> dict[str, Item]:
    """Those that exist."""
    results = await reader.fetch_many(
        "SELECT sku, body FROM item WHERE merchant = :tag AND sku = :sku",
        [{"tag": tag, "sku": sku} for sku in skus],
    )
    return {sku: Item.FromString(body) for rows in results for sku, body in rows}


async def stock(
    reader: Reader, tag: str, skus: Sequence[str], *, lock: bool = False
) -> dict[str, Stock]:
    """Of those that exist. Whoever locks several names them in ascending order, as the tap does."""
    results = await reader.fetch_many(
        """
        SELECT id, on_hand, held, committed FROM counter
        WHERE merchant = :tag AND kind = 'stock' AND id = :sku
        """,
        [{"tag": tag, "sku": sku} for sku in skus],
        lock=lock,
    )
    return {row[0]: stock_of(*row) for rows in results for row in rows}


def stock_of(sku: str, on_hand: int, held: int, committed: int) -> Stock:
    return Stock(
        sku=sku,
        on_hand=on_hand,
        held=held,
        committed=committed,
        available=on_hand - held - committed,
    )


async def items_after(reader: Reader, tag: str, sku: str, limit: int) -> list[Item]:
    rows = await reader.fetch(
        """
        SELECT body FROM item WHERE merchant = :tag AND sku > :sku
        ORDER BY sku LIMIT :limit
        """,
        tag=tag,
        sku=sku,
        limit=limit,
    )
    return [Item.FromString(body) for (body,) in rows]


async def put_items(tx: Tx, tag: str, put: Sequence[Item]) -> None:
    await tx.run_many(
        """
        INSERT INTO item (merchant, sku, version, body) VALUES (:tag, :sku, :version, :body)
        ON CONFLICT (merchant, sku) DO UPDATE SET version = excluded.version, body = excluded.body
        """,
        [
            {
                "tag": tag,
                "sku": item.sku,
                "version": item.version,
                "body": item.SerializeToString(deterministic=True),
            }
            for item in put
        ],
    )
    await tx.run_many(
        """
        INSERT INTO counter (merchant, kind, id, on_hand) VALUES (:tag, 'stock', :sku, 0)
        ON CONFLICT (merchant, kind, id) DO NOTHING
        """,
        [{"tag": tag, "sku": item.sku} for item in put],
    )


async def set_on_hand(tx: Tx, tag: str, sku: str, on_hand: int) -> None:
    await tx.run(
        """
        UPDATE counter SET on_hand = :on_hand
        WHERE merchant = :tag AND kind = 'stock' AND id = :sku
        """,
        tag=tag,
        sku=sku,
        on_hand=on_hand,
    )
