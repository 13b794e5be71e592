class FakeClock:
    """Service time that moves when told to."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def fresh(self) -> bool:
        return True

    async def sample(self) -> bool:
        return True

    def advance(self, ms: int) -> None:
        self._now_ms += ms
