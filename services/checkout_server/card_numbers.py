"""Finding card numbers where none may be: people paste them into any field, and one that is stored
or logged brings the whole system into the scope of PCI DSS (I29, H8)."""

from __future__ import annotations

import re
import unicodedata

# "4111 1111-1111.1111" is one number: groups of digits with little between them.
DIGIT_RUN = re.compile(r"\d+(?:[\W_]{1,3}\d+)*")
DIGITS = re.compile(r"\d+")
SHORTEST, LONGEST = 13, 19  # ISO/IEC 7812; 12-digit Maestro cards are gone
# Mastercard's new range, Amex, Diners and JCB, Visa, Mastercard, Discover and UnionPay.
FIRST_DIGITS = "23456"


def holds_card_number(text: str) -> bool:
    """Whether consecutive groups of digits, whole groups, make up a card number."""
    runs = DIGIT_RUN.findall(unicodedata.normalize("NFKC", text))
    return any(_among(DIGITS.findall(run)) for run in runs)


def _among(groups: list[str]) -> bool:
    for start in range(len(groups)):
        digits = ""
        for group in groups[start:]:
            digits += group
            if len(digits) > LONGEST:
                break
            if len(digits) >= SHORTEST and digits[0] in FIRST_DIGITS and _luhn(digits):
                return True
    return False


def _luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0
