"""What time it is for the service, as seen from outside: its host's clock may be another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from checkout_server.database.open import open_readonly

# A worker renews its row every second.
LATEST_SIGN_OF_LIFE = "SELECT COALESCE(MAX(seen_ms), 0) FROM worker"


@dataclass(frozen=True, slots=True)
class Moment:
    """A clock that shows one time: enough for an issuer that makes one token."""

    ms: int

    def now_ms(self) -> int:
        return self.ms

    @property
    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, UTC)


async def service_time(location: str) -> Moment:
    """To the second. There must be a server: this is when one last said that it lives."""
    async with open_readonly(location, "checkout") as reader:
        ((seen_ms,),) = await reader.fetch(LATEST_SIGN_OF_LIFE)
    return Moment(seen_ms)
