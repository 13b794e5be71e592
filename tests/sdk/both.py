"""The blocking client in the words of the async one, so that one test runs on both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any


class Blocking:
    """Every call runs in a thread of its own and is awaited; what is no call is passed through."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    @classmethod
    def of(cls, client: type) -> type:
        class Client(cls):
            def __init__(self, **options: Any) -> None:
                super().__init__(client(**options))

            @staticmethod
            def from_env(**options: Any) -> Blocking:
                return Blocking(client.from_env(**options))

        return Client

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._wrapped, name)
        if not inspect.ismethod(attribute):
            return Blocking(attribute) if name in NOUNS else attribute
        if name in GIVES_A_NOUN:
            return lambda *args, **kwargs: Blocking(attribute(*args, **kwargs))
        if inspect.isgeneratorfunction(attribute):
            return lambda *args, **kwargs: _in_threads(attribute(*args, **kwargs))
        return lambda *args, **kwargs: asyncio.to_thread(attribute, *args, **kwargs)

    async def __aenter__(self) -> Blocking:
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self._wrapped.close)


NOUNS = ("admin", "addresses", "wallet", "orders")
GIVES_A_NOUN = ("for_buyer", "with_options")
END = object()


async def _in_threads(items: Iterator[Any]) -> AsyncIterator[Any]:
    try:
        while (item := await asyncio.to_thread(next, items, END)) is not END:
            yield item
    finally:
        await asyncio.to_thread(items.close)
