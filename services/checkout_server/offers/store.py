"""Offers, and what a live card shows of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from checkout_sdk._pb.item_pb2 import Item, Stock
from checkout_sdk._pb.merchant_pb2 import Merchant
from checkout_sdk._pb.money_pb2 import Money
from checkout_sdk._pb.offer_pb2 import Offer, OfferState
from checkout_server.catalog.store import stock_of
from checkout_server.database import Parameters, Reader, Row, Tx
from checkout_server.protobuf_time import timestamp_ms

# A place before the newest offer: no time is later, whatever the id.
BEFORE_ALL = (2**63 - 1, "")
# Another look for an offer whose variants changed during the last; nobody edits that often.
MOST_LOOKS = 4


@dataclass(frozen=True, slots=True)
class OfferRow:
    platform_id: str
    offer: Offer


@dataclass(frozen=True, slots=True)
class Variant:
    price: Money
    stock: Stock


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at an offer and everything its card shows live."""

    platform_id: str
    offer: Offer
    suspended: bool
    variants: tuple[Variant, ...]
    quota_held: int
    quota_committed: int


async def offer_row(
    reader: Reader, tag: str, offer_id: str, *, lock: bool = False
) -> OfferRow | None:
    rows = await reader.fetch(
        """
        SELECT platform_id, body FROM offer WHERE merchant = :tag AND offer_id = :offer_id
        """,
        lock=lock,
        tag=tag,
        offer_id=offer_id,
    )
    for platform_id, body in rows:
        return OfferRow(platform_id, Offer.FromString(body))
    return None


NEWEST_FIRST = """
SELECT body FROM offer
WHERE merchant = :tag AND (created_ms, offer_id) < (:created_ms, :offer_id)
ORDER BY created_ms DESC, offer_id DESC LIMIT :limit
"""
OPEN_NEWEST_FIRST = """
SELECT body FROM offer
WHERE merchant = :tag AND (created_ms, offer_id) < (:created_ms, :offer_id)
  AND state = 'OPEN' AND starts_ms <= :open_at_ms AND ends_ms > :open_at_ms
ORDER BY created_ms DESC, offer_id DESC LIMIT :limit
"""


async def offers_before(
    reader: Reader,
    tag: str,
    place: tuple[int, str],
    *,
    limit: int,
    open_at_ms: int | None = None,
) -> list[Offer]:
    """The newest first, from a place (created_ms, offer_id) on; with a time, those open then."""
    parameters: Parameters = {
        "tag": tag,
        "created_ms": place[0],
        "offer_id": place[1],
        "limit": limit,
    }
    if open_at_ms is None:
        rows = await reader.fetch(NEWEST_FIRST, **parameters)
    else:
        rows = await reader.fetch(OPEN_NEWEST_FIRST, **parameters, open_at_ms=open_at_ms)
    return [Offer.FromString(body) for (body,) in rows]


async def insert_offer(tx: Tx, tag: str, platform_id: str, offer: Offer) -> None:
    await tx.run(
        """
        INSERT INTO offer
          (merchant, offer_id, platform_id, state, epoch, starts_ms, ends_ms, created_ms, body)
        VALUES
          (:tag, :offer_id, :platform_id, :state, :epoch, :starts_ms, :ends_ms, :created_ms, :body)
        """,
        tag=tag,
        offer_id=offer.offer_id,
        platform_id=platform_id,
        created_ms=timestamp_ms(offer.create_time),
        **_terms(offer),
    )


async def update_offer(tx: Tx, tag: str, offer: Offer) -> None:
    await tx.run(
        """
        UPDATE offer SET state = :state, epoch = :epoch, starts_ms = :starts_ms,
          ends_ms = :ends_ms, body = :body
        WHERE merchant = :tag AND offer_id = :offer_id
        """,
        tag=tag,
        offer_id=offer.offer_id,
        **_terms(offer),
    )


def _terms(offer: Offer) -> Parameters:
    return {
        "state": OfferState.Name(offer.state).removeprefix("OFFER_STATE_"),
        "epoch": offer.epoch,
        "starts_ms": timestamp_ms(offer.starts_at),
        "ends_ms": timestamp_ms(offer.ends_at),
        "body": offer.SerializeToString(),
    }


# One row a variant. LEFT JOIN: with a sku that is none, the row still tells the offer's skus.
SIGHT = """
SELECT o.offer_id, o.platform_id, o.body, m.body, i.body, s.on_hand, s.held, s.committed,
  q.held, q.committed
FROM offer o
JOIN merchant m ON m.merchant = o.merchant
LEFT JOIN item i ON i.merchant = o.merchant AND i.sku = :sku
LEFT JOIN counter s ON s.merchant = o.merchant AND s.kind = 'stock' AND s.id = :sku
LEFT JOIN counter q ON q.merchant = o.merchant AND q.kind = 'quota' AND q.id = o.offer_id
WHERE o.merchant = :tag AND o.offer_id = :offer_id
"""
NO_SKUS = ("",)


async def sights(
    reader: Reader, tags: Mapping[str, str], last_skus: Mapping[str, Sequence[str]]
) -> dict[str, Sight]:
    """Of those offers (offer id -> tag) that exist, in one statement.

    `last_skus` is what is known of their variants; offers that are not in it, or that have others
    by now, need a second round.
    """
    found: dict[str, Sight] = {}
    unread = {offer_id: tuple(last_skus.get(offer_id, NO_SKUS)) for offer_id in tags}
    for _ in range(MOST_LOOKS):
        if not unread:
            break
        looks = [
            {"tag": tags[offer_id], "offer_id": offer_id, "sku": sku}
            for offer_id, skus in unread.items()
            for sku in skus
        ]
        results = await reader.fetch_many(SIGHT, looks)
        unread = _sort(unread, (row for rows in results for row in rows), found)
    return found


def _sort(
    asked: Mapping[str, tuple[str, ...]], rows: Iterable[Row], found: dict[str, Sight]
) -> dict[str, tuple[str, ...]]:
    """Puts into `found` what was asked with the right skus; the rest, with the right ones."""
    rest: dict[str, tuple[str, ...]] = {}
    for offer_id, of_offer in groupby(rows, key=itemgetter(0)):
        variants = list(of_offer)
        # The last row is the newest: the statement runs once a variant.
        offer = Offer.FromString(variants[-1][2])
        if tuple(offer.skus) == asked[offer_id]:
            found[offer_id] = _sight(offer, variants)
        else:
            rest[offer_id] = tuple(offer.skus)
    return rest


def _sight(offer: Offer, rows: Sequence[Row]) -> Sight:
    _, platform_id, _, merchant, *_, quota_held, quota_committed = rows[-1]
    return Sight(
        platform_id=platform_id,
        offer=offer,
        suspended=Merchant.FromString(merchant).suspended,
        variants=tuple(
            Variant(
                price=offer.price if offer.HasField("price") else Item.FromString(row[4]).price,
                stock=stock_of(sku, *row[5:8]),
            )
            for sku, row in zip(offer.skus, rows, strict=True)
        ),
        quota_held=quota_held or 0,
        quota_committed=quota_committed or 0,
    )
