from __future__ import annotations

from collections.abc import Iterator

import pytest

from checkout_sdk.testing._fake import FakeCheckout


@pytest.fixture
def fake_checkout(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCheckout]:
    """A fresh `FakeCheckout`; clients made by `from_env()` during the test find it."""
    with FakeCheckout() as fake:
        monkeypatch.setenv("CHECKOUT_TARGET", fake.target)
        monkeypatch.setenv("CHECKOUT_TOKEN", "test")
        yield fake
