"""What merchants have set up. `terms` is all a quote or a tap needs of it, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checkout_sdk._pb.merchant_pb2 import (
    DeliveryOption,
    DiscountCode,
    Merchant,
    PutDeliveryOptionsResponse,
    PutTaxTableResponse,
    TaxRate,
)
from checkout_server.call import Caller
from checkout_server.database import Reader, Tx
from checkout_server.faults import not_found


@dataclass(frozen=True, slots=True)
class MerchantRow:
    """A merchant as it is put, with the tag that leads all its keys."""

    tag: str
    platform_id: str
    merchant: Merchant


@dataclass(frozen=True, slots=True)
class MerchantTerms:
    tag: str
    platform_id: str
    merchant: Merchant
    delivery_options: tuple[DeliveryOption, ...]
    tax_rates: tuple[TaxRate, ...]


async def merchant(reader: Reader, tag: str, *, lock: bool = False) -> MerchantRow | None:
    """`lock=True` makes the writers of one merchant wait for each other; taps never do."""
    rows = await reader.fetch(
        "SELECT platform_id, body FROM merchant WHERE merchant = :tag", lock=lock, tag=tag
    )
    for platform_id, body in rows:
        return MerchantRow(tag, platform_id, Merchant.FromString(body))
    return None


async def merchant_of(
    reader: Reader, caller: Caller, merchant_id: str, *, lock: bool = False
) -> MerchantRow:
    """The merchant a caller names, if it was ever put and the caller may work for it."""
    row = await merchant(reader, caller.merchant_tag(merchant_id), lock=lock)
    # The names are compared too: with some effort a name can be found whose 47 bits of tag clash
    # with another platform's merchant, and it would open that one.
    if row is None or (row.platform_id, row.merchant.merchant_id) != (caller.platform, merchant_id):
        raise not_found()
    return row


async def terms(reader: Reader, tag: str) -> MerchantTerms | None:
    rows = await reader.fetch(
        """
        SELECT m.platform_id, m.body, d.body, t.body
        FROM merchant m
        LEFT JOIN delivery_options d ON d.merchant = m.merchant
        LEFT JOIN tax_table t ON t.merchant = m.merchant
        WHERE m.merchant = :tag
        """,
        tag=tag,
    )
    for platform_id, body, delivery, tax in rows:
        return MerchantTerms(
            tag=tag,
            platform_id=platform_id,
            merchant=Merchant.FromString(body),
            delivery_options=tuple(
                PutDeliveryOptionsResponse.FromString(delivery or b"").delivery_options
            ),
            tax_rates=tuple(PutTaxTableResponse.FromString(tax or b"").rates),
        )
    return None


async def discount_codes(reader: Reader, tag: str, codes: Sequence[str]) -> dict[str, DiscountCode]:
    """Those that exist, by their names in capitals."""
    results = await reader.fetch_many(
        "SELECT code, body FROM discount_code WHERE merchant = :tag AND code = :code",
        [{"tag": tag, "code": code} for code in dict.fromkeys(map(str.upper, codes))],
    )
    return {code: DiscountCode.FromString(body) for rows in results for code, body in rows}


async def insert_merchant(tx: Tx, row: MerchantRow) -> bool:
    """Whether there was none yet."""
    changed = await tx.run(
        """
        INSERT INTO merchant (merchant, platform_id, merchant_id, version, body)
        VALUES (:tag, :platform_id, :merchant_id, :version, :body)
        ON CONFLICT (merchant) DO NOTHING
        """,
        tag=row.tag,
        platform_id=row.platform_id,
        merchant_id=row.merchant.merchant_id,
        version=row.merchant.version,
        body=row.merchant.SerializeToString(),
    )
    return changed == 1


async def update_merchant(tx: Tx, tag: str, put: Merchant) -> None:
    await tx.run(
        "UPDATE merchant SET version = :version, body = :body WHERE merchant = :tag",
        tag=tag,
        version=put.version,
        body=put.SerializeToString(),
    )


async def put_delivery_options(tx: Tx, tag: str, options: PutDeliveryOptionsResponse) -> None:
    await tx.run(
        """
        INSERT INTO delivery_options (merchant, body) VALUES (:tag, :body)
        ON CONFLICT (merchant) DO UPDATE SET body = excluded.body
        """,
        tag=tag,
        body=options.SerializeToString(),
    )


async def put_tax_table(tx: Tx, tag: str, table: PutTaxTableResponse) -> None:
    await tx.run(
        """
        INSERT INTO tax_table (merchant, body) VALUES (:tag, :body)
        ON CONFLICT (merchant) DO UPDATE SET body = excluded.body
        """,
        tag=tag,
        body=table.SerializeToString(),
    )


async def put_discount_code(tx: Tx, tag: str, code: DiscountCode) -> None:
    await tx.run(
        """
        INSERT INTO discount_code (merchant, code, body) VALUES (:tag, :code, :body)
        ON CONFLICT (merchant, code) DO UPDATE SET body = excluded.body
        """,
        tag=tag,
        code=code.code.upper(),
        body=code.SerializeToString(),
    )
