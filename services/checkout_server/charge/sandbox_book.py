"""The sandbox's own book: what the company on the other side of the network knows.

It is no database of ours. It has its own file, whatever the product uses, and it survives our
crashes because a provider would: several processes may have it open, and a test or
`checkout-server audit` counts in it what was asked for and what was charged, against what we say.
It need not survive a power cut, so nothing here waits for the disk.

Every method is one or two prepared statements, some 10 us each, and runs on the caller's thread.
Whoever writes opens a transaction first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from checkout_server.charge import sandbox_methods

# Others hold the file for less than a millisecond; a second of waiting means that something is
# broken.
BUSY_MS = 1_000
# A checkpoint copies the log's pages into the file: rarer than SQLite's 1,000 pages, because it
# happens within somebody's charge.
CHECKPOINT_PAGES = 8_000
# pm_sandbox_processing makes up its mind.
PROCESSING_MS = 5_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS intent (
  intent_id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  key TEXT NOT NULL,
  merchant_id TEXT NOT NULL,
  attempt_id TEXT NOT NULL,
  payment_method TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  currency TEXT NOT NULL,
  capture_method TEXT NOT NULL CHECK (capture_method IN ('automatic', 'manual')),
  return_url TEXT NOT NULL,
  status TEXT NOT NULL,
  decline_code TEXT NOT NULL,
  captured_minor INTEGER NOT NULL CHECK (captured_minor BETWEEN 0 AND amount_minor),
  refunded_minor INTEGER NOT NULL CHECK (refunded_minor BETWEEN 0 AND captured_minor),
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS used_key (
  account TEXT NOT NULL,
  key TEXT NOT NULL,
  operation TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  answer BLOB NOT NULL,
  used_ms INTEGER NOT NULL,
  busy_until_ms INTEGER NOT NULL,
  replays INTEGER NOT NULL,
  PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS journal (
  seq INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  operation TEXT NOT NULL,
  account TEXT NOT NULL,
  key TEXT NOT NULL,
  intent_id TEXT NOT NULL,
  attempt_id TEXT NOT NULL,
  result TEXT NOT NULL
) STRICT;
-- What a POST left that did nothing: the only trace that a key has been tried.
CREATE INDEX IF NOT EXISTS journal_hiccup ON journal (account, key) WHERE intent_id = '';

CREATE TABLE IF NOT EXISTS movement (
  seq INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  intent_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('authorized', 'captured', 'released', 'refunded')),
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  currency TEXT NOT NULL
) STRICT;
"""


class Intent(NamedTuple):
    """A row of `intent`. `status` is Stripe's word."""

    intent_id: str
    account: str
    key: str
    merchant_id: str
    attempt_id: str
    payment_method: str
    amount_minor: int
    currency: str
    capture_method: str
    return_url: str
    status: str
    decline_code: str
    captured_minor: int
    refunded_minor: int
    created_ms: int

    @property
    def is_live(self) -> bool:
        """Money has moved or may yet, and was not given back in full."""
        if self.status == "succeeded":
            return self.refunded_minor < self.captured_minor
        return self.status in ("processing", "requires_capture")


class UsedKey(NamedTuple):
    account: str
    key: str
    operation: str
    fingerprint: bytes
    answer: bytes
    used_ms: int
    busy_until_ms: int
    replays: int


class Line(NamedTuple):
    """One request, as it arrived and as it was answered."""

    at_ms: int
    operation: str
    account: str
    key: str
    intent_id: str
    attempt_id: str
    result: str


class Movement(NamedTuple):
    at_ms: int
    intent_id: str
    kind: str
    amount_minor: int
    currency: str


def _columns(row: type[NamedTuple]) -> str:
    return ", ".join(row._fields)


def _insert(table: str, row: type[NamedTuple], *, verb: str = "INSERT") -> str:
    places = ", ".join("?" * len(row._fields))
    return f"{verb} INTO {table} ({_columns(row)}) VALUES ({places})"


ONE_INTENT = f"SELECT {_columns(Intent)} FROM intent WHERE intent_id = ?"
ALL_INTENTS = f"SELECT {_columns(Intent)} FROM intent ORDER BY created_ms, intent_id"
SAVE_INTENT = _insert("intent", Intent, verb="REPLACE")
ONE_KEY = f"SELECT {_columns(UsedKey)} FROM used_key WHERE account = ? AND key = ?"
SAVE_KEY = _insert("used_key", UsedKey, verb="REPLACE")
FREE_KEY = "UPDATE used_key SET busy_until_ms = 0 WHERE account = ? AND key = ?"
ALL_LINES = f"SELECT {_columns(Line)} FROM journal ORDER BY seq"
ADD_LINE = _insert("journal", Line)
HICCUPED = "SELECT 1 FROM journal WHERE account = ? AND key = ? AND intent_id = '' LIMIT 1"
COUNT_POSTS = """
SELECT COUNT(*) FROM journal
WHERE operation <> 'retrieve' AND ?1 IN ('', operation) AND ?2 IN ('', key)
  AND ?3 IN ('', attempt_id)
"""
ALL_MOVEMENTS = f"SELECT {_columns(Movement)} FROM movement ORDER BY seq"
ADD_MOVEMENT = _insert("movement", Movement)


class Book:
    def __init__(self, path: str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._connection = apsw.Connection(path)
        self._connection.set_busy_timeout(BUSY_MS)
        self._connection.execute("PRAGMA synchronous=OFF")
        self._use_wal()
        self._connection.wal_autocheckpoint(CHECKPOINT_PAGES)
        with self.transaction():
            self._connection.execute(SCHEMA)

    def close(self) -> None:
        self._connection.close()

    @retry(
        retry=retry_if_exception_type(apsw.BusyError),
        wait=wait_fixed(0.005),
        stop=stop_after_delay(BUSY_MS / 1000),
        reraise=True,
    )
    def _use_wal(self) -> None:
        # Processes that open a new file together: SQLite does not wait for this one by itself.
        self._connection.execute("PRAGMA journal_mode=WAL")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    # Counting, for tests and audits

    def posts(self, *, operation: str = "", key: str = "", attempt_id: str = "") -> int:
        """How many requests arrived that may move money; all of them, or those of one kind."""
        rows = self._connection.execute(COUNT_POSTS, (operation, key, attempt_id))
        return sum(count for (count,) in rows)

    def live_charges(self, attempt_id: str) -> list[Intent]:
        """More than one is a charge too many."""
        return [one for one in self.intents() if one.attempt_id == attempt_id and one.is_live]

    def intents(self) -> list[Intent]:
        return [Intent(*row) for row in self._connection.execute(ALL_INTENTS)]

    def journal(self) -> list[Line]:
        return [Line(*row) for row in self._connection.execute(ALL_LINES)]

    def movements(self) -> list[Movement]:
        return [Movement(*row) for row in self._connection.execute(ALL_MOVEMENTS)]

    # The buyer at the bank, played by whoever opens this file

    def complete_challenge(self, intent_id: str, *, passed: bool, now_ms: int) -> Intent:
        """Answers the challenge of an intent; one that waits for none stays as it is."""
        with self.transaction():
            intent = self.intent(intent_id)
            if intent is None:
                raise LookupError(f"no intent {intent_id} in this book")
            if intent.status != "requires_action":
                return intent
            method = sandbox_methods.find(intent.payment_method)
            if passed and not (method and method.fails_challenge):
                return self.take(intent, now_ms)
            failed = intent._replace(
                status="requires_payment_method", decline_code="authentication_failed"
            )
            self.save(failed)
            return failed

    # Within a transaction

    def intent(self, intent_id: str) -> Intent | None:
        for row in self._connection.execute(ONE_INTENT, (intent_id,)):
            return Intent(*row)
        return None

    def save(self, intent: Intent) -> None:
        self._connection.execute(SAVE_INTENT, intent)

    def take(self, intent: Intent, now_ms: int) -> Intent:
        """A confirmed intent succeeds: the money is taken, or with manual capture set aside."""
        amount_minor = intent.amount_minor
        if intent.capture_method == "manual":
            taken = intent._replace(status="requires_capture")
            self.move(taken, "authorized", amount_minor, now_ms)
        else:
            taken = intent._replace(status="succeeded", captured_minor=amount_minor)
            self.move(taken, "captured", amount_minor, now_ms)
        self.save(taken)
        return taken

    def move(self, intent: Intent, kind: str, amount_minor: int, now_ms: int) -> None:
        movement = Movement(now_ms, intent.intent_id, kind, amount_minor, intent.currency)
        self._connection.execute(ADD_MOVEMENT, movement)

    def used_key(self, account: str, key: str) -> UsedKey | None:
        for row in self._connection.execute(ONE_KEY, (account, key)):
            return UsedKey(*row)
        return None

    def remember(self, used: UsedKey) -> None:
        self._connection.execute(SAVE_KEY, used)

    def tried(self, account: str, key: str) -> bool:
        """Whether a POST with this key has come to nothing before."""
        return bool(self._connection.execute(HICCUPED, (account, key)).fetchone())

    def write(self, line: Line) -> None:
        self._connection.execute(ADD_LINE, line)

    # By itself

    def free(self, account: str, key: str) -> None:
        """The request that kept this key busy has been answered."""
        self._connection.execute(FREE_KEY, (account, key))
