from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list: `for order in page`, `len(page)`. That is this page alone; `iter()` of
    the same noun goes through all of them."""

    items: Sequence[T]
    next_page_token: str | None
    """Give it to `list` for the next page; None on the last."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
