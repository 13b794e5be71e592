-- Checkout's tables. Written in PostgreSQL's types; the runner gives SQLite its own names for them and makes
-- its tables STRICT. Every key leads with `merchant`, the tag of (platform, merchant id): no transaction
-- touches two of them, so the tables can be distributed by it.
-- A column is here because the database must find by it or enforce it; the rest is in `body`, a protobuf
-- message (`checkout-server show ID` prints it). Times are milliseconds of service time.

CREATE TABLE merchant (
  merchant TEXT NOT NULL PRIMARY KEY,
  platform_id TEXT NOT NULL,
  merchant_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  body BYTEA NOT NULL
);

CREATE TABLE delivery_options (
  merchant TEXT NOT NULL PRIMARY KEY,
  body BYTEA NOT NULL
);

CREATE TABLE tax_table (
  merchant TEXT NOT NULL PRIMARY KEY,
  body BYTEA NOT NULL
);

CREATE TABLE discount_code (
  merchant TEXT NOT NULL,
  code TEXT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (merchant, code)
);

CREATE TABLE item (
  merchant TEXT NOT NULL,
  sku TEXT NOT NULL,
  version BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (merchant, sku)
);

CREATE TABLE offer (
  merchant TEXT NOT NULL,
  offer_id TEXT NOT NULL,
  platform_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('OPEN', 'ENDED')),
  epoch BIGINT NOT NULL,
  starts_ms BIGINT NOT NULL,
  ends_ms BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (merchant, offer_id)
);
CREATE INDEX offer_newest ON offer (merchant, created_ms, offer_id);

-- A hold is a set of these with quantities. on_hand is set for stock alone: the limit of a quota, cap or code
-- is its owner's and travels with the hold. The CHECKs are the last line against overselling, not the first.
CREATE TABLE counter (
  merchant TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('stock', 'quota', 'cap', 'code', 'code_buyer', 'open')),
  id TEXT NOT NULL,
  on_hand BIGINT,
  held BIGINT NOT NULL DEFAULT 0 CHECK (held >= 0),
  committed BIGINT NOT NULL DEFAULT 0 CHECK (committed >= 0),
  PRIMARY KEY (merchant, kind, id),
  CHECK ((kind = 'stock') = (on_hand IS NOT NULL)),
  CHECK (on_hand IS NULL OR held + committed <= on_hand)
);

-- One tap. The row is its idempotency key, its journal and its answer. (worker, worker_epoch) drives it; every
-- write names the version it saw.
CREATE TABLE attempt (
  merchant TEXT NOT NULL,
  attempt_id TEXT NOT NULL,
  platform_id TEXT NOT NULL,
  buyer_id TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  fingerprint BYTEA NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('RESERVED', 'CHARGING', 'UNKNOWN', 'ACTION_REQUIRED', 'PARKED',
    'PLACED', 'DECLINED', 'EXPIRED', 'CANCELLED', 'COMPENSATED')),
  version BIGINT NOT NULL,
  hold_state TEXT NOT NULL CHECK (hold_state IN ('held', 'committed', 'released')),
  worker TEXT NOT NULL,
  worker_epoch BIGINT NOT NULL,
  next_ms BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  body BYTEA NOT NULL,
  outcome BYTEA,
  PRIMARY KEY (merchant, attempt_id),
  UNIQUE (merchant, buyer_id, idempotency_key),
  CHECK ((hold_state = 'held') =
    (state IN ('RESERVED', 'CHARGING', 'UNKNOWN', 'ACTION_REQUIRED', 'PARKED'))),
  CHECK ((hold_state = 'committed') = (state = 'PLACED'))
);
CREATE INDEX attempt_open ON attempt (next_ms)
  WHERE state IN ('RESERVED', 'CHARGING', 'UNKNOWN', 'ACTION_REQUIRED');

-- What a buyer is buying right now, whatever key it came under. blocked_until_ms: 0 while the attempt is open,
-- else the end of the minute after it was placed.
CREATE TABLE intent (
  merchant TEXT NOT NULL,
  buyer_id TEXT NOT NULL,
  hash BYTEA NOT NULL,
  attempt_id TEXT NOT NULL,
  order_id TEXT NOT NULL DEFAULT '',
  blocked_until_ms BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (merchant, buyer_id, hash)
);

CREATE TABLE orders (
  merchant TEXT NOT NULL,
  order_id TEXT NOT NULL,
  platform_id TEXT NOT NULL,
  attempt_id TEXT NOT NULL,
  buyer_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('PLACED', 'COMPLETED', 'CANCELLED')),
  payment_state TEXT NOT NULL CHECK (payment_state IN ('AUTHORIZED', 'CAPTURING', 'CAPTURED', 'CAPTURE_FAILED',
    'VOIDING', 'VOIDED', 'PARTIALLY_REFUNDED', 'REFUNDED')),
  version BIGINT NOT NULL,
  provider_intent TEXT,
  total_minor BIGINT NOT NULL CHECK (total_minor >= 0),
  captured_minor BIGINT NOT NULL CHECK (captured_minor BETWEEN 0 AND total_minor),
  refunded_minor BIGINT NOT NULL CHECK (refunded_minor BETWEEN 0 AND captured_minor),
  created_ms BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (merchant, order_id),
  UNIQUE (merchant, attempt_id),
  UNIQUE (merchant, provider_intent)
);
CREATE INDEX orders_of_buyer ON orders (platform_id, buyer_id, created_ms, order_id);
CREATE INDEX orders_of_merchant ON orders (merchant, created_ms, order_id);

-- Movements of money after the tap, journalled before they are sent: at most one in flight an order.
CREATE TABLE money_operation (
  merchant TEXT NOT NULL,
  order_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('PENDING', 'DONE', 'FAILED')),
  worker TEXT NOT NULL,
  worker_epoch BIGINT NOT NULL,
  next_ms BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (merchant, order_id, number)
);
CREATE UNIQUE INDEX money_operation_in_flight ON money_operation (merchant, order_id) WHERE state = 'PENDING';

-- What happened, written in the transaction it happened in, for whoever wants to know. `subject` is the
-- attempt, `seq` the version its row (later: its order's) got by it.
CREATE TABLE outbox (
  merchant TEXT NOT NULL,
  event_id TEXT NOT NULL,
  subject TEXT NOT NULL,
  seq BIGINT NOT NULL,
  kind TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  published_ms BIGINT,
  body BYTEA NOT NULL,
  PRIMARY KEY (merchant, event_id),
  UNIQUE (merchant, subject, seq)
);
CREATE UNIQUE INDEX outbox_placed_once ON outbox (merchant, subject) WHERE kind = 'order.placed';
CREATE INDEX outbox_unpublished ON outbox (merchant, created_ms) WHERE published_ms IS NULL;

-- Answers of calls that carry a request_id. `scope` is the tag of the merchant or platform.
CREATE TABLE request (
  scope TEXT NOT NULL,
  method TEXT NOT NULL,
  request_id TEXT NOT NULL,
  fingerprint BYTEA NOT NULL,
  response BYTEA NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (scope, method, request_id)
);

-- Who is alive: renewed every second, dead after five.
CREATE TABLE worker (
  worker TEXT NOT NULL PRIMARY KEY,
  epoch BIGINT NOT NULL,
  seen_ms BIGINT NOT NULL
);

-- Keys that sign quote tokens when none are configured (development), shared by every process.
CREATE TABLE signing_key (
  kid TEXT NOT NULL PRIMARY KEY,
  secret BYTEA NOT NULL,
  created_ms BIGINT NOT NULL
);
