"""The auditor is worth something only if it finds what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from checkout_server.charge.sandbox_book import Line
from checkout_server.database import Tx
from tests.auditor import violations
from tests.services.checkout.conftest import OpenWorld
from tests.world import PLATFORM, World, audited

# What somebody broke behind our backs, and the rules that tell. The schema's own constraints stop
# the rest. SQLite is enough: the rules are the same, and every other test runs them on both.
pytestmark = pytest.mark.parametrize("db_url", ["sqlite"], indirect=True)
BROKEN = [
    ("UPDATE counter SET committed = 0 WHERE kind = 'stock'", {"I10"}),
    ("UPDATE counter SET held = held + 1 WHERE kind = 'open'", {"I10"}),
    ("DELETE FROM orders", {"I2", "I10", "I12", "I26", "an"}),
    ("UPDATE orders SET total_minor = total_minor + 1", {"I3", "I4"}),
    ("UPDATE orders SET provider_intent = 'pi_another'", {"I2", "I3"}),
    ("UPDATE orders SET provider_intent = NULL", {"I2", "I3"}),
    ("DELETE FROM outbox WHERE kind = 'order.placed'", {"I20", "I26"}),
    ("UPDATE outbox SET kind = 'attempt.declined' WHERE kind = 'attempt.charging'", {"I20"}),
    ("UPDATE attempt SET outcome = NULL", {"a"}),
    ("UPDATE intent SET blocked_until_ms = 0", {"an"}),
    ("UPDATE attempt SET state = 'DECLINED', hold_state = 'released'", {"I12", "I20"}),
]


@pytest.fixture
async def sold(open_world: OpenWorld) -> AsyncIterator[World]:
    """A world with one order in it, stopped by its test, and not audited."""
    async with open_world() as world:
        ann = await world.buyer()
        await ann.buy(await world.offer())
        await audited(world.settings)
        yield world
        await world.database.transact(_forget)
        with world.book.transaction():
            for table in ("intent", "journal", "used_key", "movement"):
                world.book._connection.execute(f"DELETE FROM {table}")


async def _forget(tx: Tx) -> None:
    for table in ("attempt", "orders", "counter", "intent", "outbox"):
        await tx.run(f"DELETE FROM {table}")


async def found(world: World) -> set[str]:
    """The first word of each violation."""
    assert world.settings.sandbox_file is not None
    told = await violations(world.settings.database, world.settings.sandbox_file)
    return {word for text in told for word in text.split()[0].split("/")}


@pytest.mark.parametrize(("damage", "rules"), BROKEN)
async def test_what_is_wrong_in_the_rows_is_found(sold: World, damage: str, rules: set[str]):
    await sold.database.transact(lambda tx: tx.run(damage))
    assert rules <= await found(sold)


async def test_a_second_charge_is_found(sold: World):
    [intent] = sold.book.intents()
    with sold.book.transaction():
        sold.book.save(intent._replace(intent_id="pi_second"))
    assert {"I1", "I2"} <= await found(sold)


async def test_a_charge_of_nobodys_is_found(sold: World):
    [intent] = sold.book.intents()
    with sold.book.transaction():
        sold.book.save(intent._replace(intent_id="pi_lost", attempt_id="att_lost"))
    assert "I2" in await found(sold)


async def test_an_order_without_its_charge_is_found(sold: World):
    [intent] = sold.book.intents()
    with sold.book.transaction():
        sold.book.save(intent._replace(status="canceled", captured_minor=0))
    assert await found(sold) == {"I3"}


async def test_money_that_went_back_untold_is_found(sold: World):
    [intent] = sold.book.intents()
    with sold.book.transaction():
        sold.book.save(intent._replace(refunded_minor=1))
    assert await found(sold) == {"I6"}


async def test_another_amount_than_the_orders_is_found(sold: World):
    [intent] = sold.book.intents()
    with sold.book.transaction():
        sold.book.save(intent._replace(amount_minor=intent.amount_minor + 1))
    assert await found(sold) == {"I3"}


async def test_a_post_that_nobody_journalled_is_found(sold: World):
    [intent] = sold.book.intents()
    lost = Line(0, "authorize", PLATFORM, "k", "", "att_lost", "captured")
    another = lost._replace(attempt_id=intent.attempt_id)
    early = another._replace(key=intent.key)
    with sold.book.transaction():
        for line in (lost, another, early):
            sold.book.write(line)
    assert await found(sold) == {"I7", "I14"}


async def test_other_parameters_than_the_journalled_ones_are_found(sold: World):
    [intent] = sold.book.intents()
    used = sold.book.used_key(PLATFORM, intent.key)
    assert used is not None
    with sold.book.transaction():
        sold.book.remember(used._replace(fingerprint=b"others"))
    assert await found(sold) == {"I7"}
