"""What every tap needs of a merchant and its items, remembered for a moment.

A tap by token must not wait for reads that change once a week. A second is short enough for the one
switch in here that matters (a suspended merchant); titles are only for show.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from checkout_server.catalog import store as catalog
from checkout_server.database import Database
from checkout_server.merchants import store as merchants
from checkout_server.merchants.store import MerchantTerms

TERMS_S = 1.0
TITLES_S = 60.0
# Option and tax lists may be some tens of kilobytes each.
MOST_TERMS = 1_000
# Some 5 MiB of titles; a full shelf is emptied, not managed.
MOST_TITLES = 50_000


class Shelf:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._terms: dict[str, tuple[float, MerchantTerms]] = {}
        self._titles: dict[tuple[str, str], tuple[float, str]] = {}

    async def terms(self, merchant: str) -> MerchantTerms | None:
        now = time.monotonic()
        kept = self._terms.get(merchant)
        if kept is not None and now < kept[0] + TERMS_S:
            return kept[1]
        terms = await merchants.terms(self._database, merchant)
        if len(self._terms) > MOST_TERMS:
            self._terms.clear()
        if terms is not None:
            self._terms[merchant] = (now, terms)
        return terms

    async def titles(self, merchant: str, skus: Collection[str]) -> dict[str, str]:
        now = time.monotonic()
        known = {sku: self._titles.get((merchant, sku), (0.0, "")) for sku in skus}
        stale = [sku for sku, (since, _) in known.items() if now >= since + TITLES_S]
        if stale:
            if len(self._titles) > MOST_TITLES:
                self._titles.clear()
            for sku, item in (await catalog.items(self._database, merchant, stale)).items():
                self._titles[(merchant, sku)] = known[sku] = (now, item.title)
        return {sku: title for sku, (_, title) in known.items()}
