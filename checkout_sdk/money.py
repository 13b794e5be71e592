"""Amounts: integer minor units and an ISO 4217 currency, never a float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from checkout_sdk._pb import money_pb2
from checkout_sdk._values import Value

# ISO 4217 exponents other than 2.
_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
_EXPONENTS: Mapping[str, int] = {
    currency: exponent
    for currencies, exponent in ((_ZERO, 0), (_THREE, 3), (_FOUR, 4))
    for currency in currencies.split()
}


@dataclass(frozen=True, slots=True)
class Money(Value):
    """`Money(1050, "USD")` is 10.50 US dollars, `Money(1050, "JPY")` 1050 yen. `str()` is "USD
    10.50": for logs and developers; format what buyers read by their own locale."""

    PB: ClassVar = money_pb2.Money
    amount_minor: int
    """In the currency's minor unit."""
    currency: str
    """ISO 4217, three capital letters."""

    def __str__(self) -> str:
        exponent = _EXPONENTS.get(self.currency, 2)
        whole, rest = divmod(abs(self.amount_minor), 10**exponent)
        sign = "-" if self.amount_minor < 0 else ""
        fraction = f".{rest:0{exponent}d}" if exponent else ""
        return f"{self.currency} {sign}{whole}{fraction}"

    def to_json(self) -> dict[str, Any]:
        """`{"amount_minor": 1050, "currency": "USD", "text": "USD 10.50"}`."""
        return {
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "text": str(self),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Money:
        """Reads back what `to_json` wrote: the figure that the page showed beside the button.

        Raises ValueError when it is no such thing, so it is safe on what a phone sent.
        """
        amount, currency = value.get("amount_minor"), value.get("currency")
        if type(amount) is not int or not isinstance(currency, str):
            raise ValueError("money is {amount_minor: integer, currency: ISO 4217 code}")
        return cls(amount, currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(Value):
    """What a purchase, or one line of it, costs, in one currency:
    `total = items - discount + delivery + (0 if tax_included else tax)`. Lines add up to the whole
    exactly."""

    PB: ClassVar = money_pb2.Totals
    items: Money
    discount: Money
    """What discount codes take off."""
    delivery: Money
    tax: Money
    total: Money
    """What the buyer pays: the figure to show beside the button."""
    tax_included: bool = False
    """True: prices contain the tax already. False: it is added."""
