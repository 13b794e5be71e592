"""The composition root: what runs in this process, who knows whom, and in which order it stops."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Awaitable
from typing import TypeVar

import structlog

from checkout_server import ids
from checkout_server._pb import stored_pb2
from checkout_server.address import rules as address_rules
from checkout_server.catalog import rules as catalog_rules
from checkout_server.catalog.service import Catalog
from checkout_server.charge import rules as charge_rules
from checkout_server.charge.service import Charges
from checkout_server.checkout import rules as checkout_rules
from checkout_server.checkout import waiting
from checkout_server.checkout.advance import Windows
from checkout_server.checkout.answering import Answering
from checkout_server.checkout.attempt import AttemptRow
from checkout_server.checkout.attempts import Attempts
from checkout_server.checkout.conversation import Conversation
from checkout_server.checkout.deal import Dealer
from checkout_server.checkout.drive import Driver
from checkout_server.checkout.group import Groups
from checkout_server.checkout.provider_queue import ProviderQueue
from checkout_server.checkout.recovery import Recovery
from checkout_server.checkout.shelf import Shelf
from checkout_server.checkout.steps import Steps
from checkout_server.checkout.tap import Tap
from checkout_server.checkout.worker import Lease
from checkout_server.contract import Services
from checkout_server.database import Database, Tx
from checkout_server.database.clock import ServiceClock
from checkout_server.database.open import open_database, open_reserved
from checkout_server.handlers import Handlers
from checkout_server.identity import verifier
from checkout_server.merchants import rules as merchants_rules
from checkout_server.merchants.service import Merchants
from checkout_server.neighbours import in_this_process
from checkout_server.offers import rules as offers_rules
from checkout_server.offers.service import Offers
from checkout_server.offers.watch import OfferChanges
from checkout_server.orders import rules as orders_rules
from checkout_server.orders.operations import Operations
from checkout_server.orders.service import Orders
from checkout_server.orders.store import StoredOrder
from checkout_server.quotes import rules as quotes_rules
from checkout_server.quotes.service import Quotes
from checkout_server.quotes.token import SigningKeys, unseal
from checkout_server.server import Server
from checkout_server.settings import Settings
from checkout_server.wallet import rules as wallet_rules

PUBLIC = "onetap.checkout.v1"
RULES = {
    **address_rules.RULES,
    **catalog_rules.RULES,
    **charge_rules.RULES,
    **checkout_rules.RULES,
    **merchants_rules.RULES,
    **offers_rules.RULES,
    **orders_rules.RULES,
    **quotes_rules.RULES,
    **wallet_rules.RULES,
}
# A call that is under way when the server stops is answered within its own limit, which for a tap
# is 5 s at most. Our streams are ended at once; only who watches gRPC's own health has all of it.
GRACE_S = 6.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Process:
    """One `checkout-server`: built, started, and stopped in the order that loses nothing."""

    def __init__(
        self,
        settings: Settings,
        databases: tuple[Database, ...],
        failed: asyncio.Event,
        clock: ServiceClock,
        lease: Lease,
        driver: Driver,
        operations: Operations,
        recovery: Recovery,
        charges: Charges,
        server: Server,
    ) -> None:
        self._settings = settings
        self._databases = databases
        # Set for good when a database has failed: this process must be started anew.
        self.failed = failed
        self._clock = clock
        self._lease = lease
        self._driver = driver
        self._operations = operations
        self._recovery = recovery
        self._charges = charges
        self._server = server

    @property
    def durability(self) -> str:
        return self._databases[0].durability

    async def start(self) -> int:
        """The port. The lease comes first: nothing may be driven without one."""
        await self._lease.start()
        self._recovery.start()
        return await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(GRACE_S)

    async def close(self) -> None:
        for database in self._databases:
            await _tried("close database", database.close())

    async def drain(self) -> None:
        """No call is left. What is at the provider finishes; what only waits is left to its row.
        All of it together has `drain_s`, and trouble with one part does not keep the others from
        theirs."""
        within_s = self._settings.drain_s
        ends_at = time.monotonic() + within_s
        await _tried("stop recovery", self._recovery.stop())
        left = await asyncio.gather(
            _tried("drain attempts", self._driver.drain(within_s)),
            _tried("drain operations", self._operations.drain(within_s)),
        )
        left_s = max(ends_at - time.monotonic(), 0.0)
        await _tried("drain charges", self._charges.drain(left_s))
        # Whose drain broke may have left anything.
        still = sum(1 if count is None else count for count in left)
        await _tried("stop lease", self._lease.stop(left=still))
        await _tried("stop clock", self._clock.stop())


async def _tried(step: str, work: Awaitable[T]) -> T | None:
    """What came of a step of stopping; None when it broke."""
    try:
        return await work
    except Exception:
        log.exception("stop.step_failed", operation=step)
        return None


async def build(settings: Settings) -> Process:
    """Opens the databases and puts everything together; nothing runs before `start`."""
    checkout_db = await open_database(settings.database, "checkout")
    address_db = await open_database(settings.database, "address")
    payment_db = await open_database(settings.database, "payment")
    # A burst of reads must not cost the lease. Taps and T2 stay with the big pool: they would take
    # a small one away from the lease, and T2 is tried again, in the end by recovery.
    reserved_db = await open_reserved(checkout_db, settings.database, "checkout")
    # On SQLite the reserved one is checkout's own.
    databases = tuple(dict.fromkeys((checkout_db, address_db, payment_db, reserved_db)))
    clock = ServiceClock(reserved_db)
    await clock.start()
    neighbours = in_this_process(settings, clock, address_db, payment_db)
    keys = SigningKeys(await _quote_keys(settings, checkout_db, clock))
    worker = ids.new_id("wrk", ids.tag(socket.gethostname(), str(os.getpid())))
    lease = Lease(reserved_db, clock, worker)
    windows = Windows(
        forward_ms=settings.forward_window_ms,
        challenge_ms=settings.challenge_ms,
        flash_challenge_ms=settings.flash_challenge_ms,
        intent_block_ms=settings.intent_block_ms,
    )
    attempt_changes = waiting.Waiting[AttemptRow](checkout_db, waiting.ATTEMPT_VERSIONS)
    groups = Groups(
        checkout_db,
        clock,
        lambda row: attempt_changes.changed(row.attempt_id, row.version, row),
    )
    queue = ProviderQueue(settings.provider_concurrency)
    driver = Driver(
        checkout_db,
        clock,
        groups,
        lease,
        attempt_changes,
        Steps(clock, groups, lease, Conversation(neighbours.charges, lease), windows),
        queue,
    )
    answering = Answering(
        checkout_db,
        clock,
        attempt_changes,
        driver.meet,
        answer_within_ms=settings.answer_within_ms,
        forward_window_ms=settings.forward_window_ms,
    )
    quotes = Quotes(checkout_db, clock, neighbours.addresses, neighbours.wallet, keys)

    def read_token(text: str) -> stored_pb2.QuoteClaims:
        return unseal(text, keys)

    tap = Tap(
        checkout_db,
        clock,
        Shelf(checkout_db),
        Dealer(quotes),
        neighbours.wallet,
        read_token,
        queue,
        driver,
        lease,
        answering,
    )
    attempts = Attempts(checkout_db, clock, groups, answering, windows)
    offers = Offers(checkout_db, clock, OfferChanges(checkout_db, clock))
    order_changes = waiting.Waiting[StoredOrder](checkout_db, waiting.ORDER_VERSIONS)
    operations = Operations(checkout_db, clock, lease, neighbours.charges, order_changes)
    orders = Orders(checkout_db, clock, order_changes, operations, answering)
    merchants, catalog = Merchants(checkout_db, clock), Catalog(checkout_db, clock)
    services: Services = {
        **neighbours.public,
        f"{PUBLIC}.CheckoutService": {
            "CreateQuote": quotes.create_quote,
            "BatchCreateQuotes": quotes.batch_create_quotes,
            "WatchOffers": offers.watch_offers,
            "PlaceOrder": tap.place_order,
            "GetAttempt": attempts.get_attempt,
            "WatchAttempt": attempts.watch_attempt,
            "CompleteAction": attempts.complete_action,
            "CancelAttempt": attempts.cancel_attempt,
        },
        f"{PUBLIC}.OrderService": {
            "GetOrder": orders.get_order,
            "ListOrders": orders.list_orders,
            "WatchOrder": orders.watch_order,
            "CancelOrder": orders.cancel_order,
        },
        f"{PUBLIC}.OfferService": {
            "CreateOffer": offers.create_offer,
            "UpdateOffer": offers.update_offer,
            "EndOffer": offers.end_offer,
            "GetOffer": offers.get_offer,
            "ListOffers": offers.list_offers,
        },
        f"{PUBLIC}.CatalogService": {
            "PutItems": catalog.put_items,
            "GetItem": catalog.get_item,
            "ListItems": catalog.list_items,
            "SetStock": catalog.set_stock,
            "AdjustStock": catalog.adjust_stock,
        },
        f"{PUBLIC}.MerchantService": {
            "PutMerchant": merchants.put_merchant,
            "PutDeliveryOptions": merchants.put_delivery_options,
            "PutTaxTable": merchants.put_tax_table,
            "PutDiscountCode": merchants.put_discount_code,
        },
    }
    process: Process

    async def drain() -> None:
        await process.drain()

    failed = asyncio.Event()

    def healthy() -> bool:
        if any(database.failed for database in databases):
            failed.set()
        return clock.fresh() and not failed.is_set()

    handlers = Handlers(services, rules=RULES, identify=verifier(settings, clock).caller)
    process = Process(
        settings,
        databases,
        failed,
        clock,
        lease,
        driver,
        operations,
        Recovery(reserved_db, lease, driver, operations),
        neighbours.charge_service,
        Server(settings, handlers, healthy=healthy, drain=drain),
    )
    return process


async def _quote_keys(
    settings: Settings, database: Database, clock: ServiceClock
) -> dict[str, bytes]:
    """The configured keys; in development one that the first process to start makes for all."""
    if settings.quote_keys:
        return dict(settings.quote_keys)
    made = {"kid": "dev", "secret": secrets.token_bytes(32), "created_ms": clock.now_ms()}

    async def body(tx: Tx) -> dict[str, bytes]:
        await tx.run(
            "INSERT INTO signing_key (kid, secret, created_ms) VALUES (:kid, :secret, :created_ms)"
            " ON CONFLICT (kid) DO NOTHING",
            **made,
        )
        rows = await tx.fetch("SELECT kid, secret FROM signing_key ORDER BY created_ms DESC")
        return {kid: secret for kid, secret in rows}

    return await database.transact(body)
