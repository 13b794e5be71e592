from __future__ import annotations


class Refusal(Exception):
    """A fault: a row of errors.proto, as the fake's handlers raise it."""

    def __init__(self, code: str, reason: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason
        self.text = text


def not_found() -> Refusal:
    return Refusal("NOT_FOUND", "NOT_FOUND", "There is no such thing, or it is not yours.")
