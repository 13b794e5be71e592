-- The address service's tables. Written in PostgreSQL's types, as checkout's are; a column is here because the
-- database must find by it or enforce it, the rest is in `body`.

-- Every change of a buyer's addresses goes through this row, one at a time.
CREATE TABLE buyer (
  platform_id TEXT NOT NULL,
  buyer_id TEXT NOT NULL,
  changes BIGINT NOT NULL,
  PRIMARY KEY (platform_id, buyer_id)
);

-- Rows are hidden, never removed and never changed: orders name them. `number` is larger for a newer one.
CREATE TABLE address (
  platform_id TEXT NOT NULL,
  address_id TEXT NOT NULL,
  buyer_id TEXT NOT NULL,
  number BIGINT NOT NULL CHECK (number > 0),
  state TEXT NOT NULL CHECK (state IN ('SAVED', 'DELETED')),
  is_default BIGINT NOT NULL CHECK (is_default IN (0, 1)),
  body BYTEA NOT NULL,
  PRIMARY KEY (platform_id, address_id),
  UNIQUE (platform_id, buyer_id, number),
  CHECK (is_default = 0 OR state = 'SAVED')
);
CREATE UNIQUE INDEX address_default ON address (platform_id, buyer_id) WHERE is_default = 1;
CREATE INDEX address_saved ON address (platform_id, buyer_id, number) WHERE state = 'SAVED';

-- Answers of calls that carry a request_id. `scope` is the platform's tag and the buyer.
CREATE TABLE request (
  scope TEXT NOT NULL,
  method TEXT NOT NULL,
  request_id TEXT NOT NULL,
  fingerprint BYTEA NOT NULL,
  response BYTEA NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (scope, method, request_id)
);
