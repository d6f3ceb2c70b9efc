-- +goose Up
-- Times are unix milliseconds, 0 for none. Bodies are JSON that Go wrote.
CREATE TABLE environments (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
);
CREATE TABLE leases (
    env     TEXT PRIMARY KEY,
    owner   TEXT NOT NULL,
    epoch   BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE TABLE runs (
    id      TEXT PRIMARY KEY,
    env     TEXT NOT NULL,
    started BIGINT NOT NULL,
    body    TEXT NOT NULL,
    plan    TEXT NOT NULL,
    report  TEXT NOT NULL
);
CREATE INDEX runs_newest ON runs (started DESC, id DESC);
CREATE INDEX runs_of_env ON runs (env, started DESC, id DESC);
CREATE TABLE events (
    env     TEXT NOT NULL,
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    run     TEXT NOT NULL,
    address TEXT NOT NULL,
    token   TEXT NOT NULL,
    type    TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (env, seq)
);
-- The fold of the events, written in their transaction.
CREATE TABLE resources (
    env     TEXT NOT NULL,
    address TEXT NOT NULL,
    token   TEXT NOT NULL,
    role    TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (env, address, token)
);
CREATE TABLE ended (
    env   TEXT NOT NULL,
    token TEXT NOT NULL,
    why   TEXT NOT NULL,
    PRIMARY KEY (env, token)
);
CREATE TABLE observations (
    env   TEXT NOT NULL,
    scope TEXT NOT NULL,
    seen  BIGINT NOT NULL,
    body  TEXT NOT NULL,
    PRIMARY KEY (env, scope)
);
CREATE TABLE evaluations (
    digest TEXT PRIMARY KEY,
    at     BIGINT NOT NULL,
    body   TEXT NOT NULL
);
CREATE TABLE approvals (
    env      TEXT NOT NULL,
    digest   TEXT NOT NULL,
    by_whom  TEXT NOT NULL,
    at       BIGINT NOT NULL,
    verdict  TEXT NOT NULL,
    consumed TEXT NOT NULL,
    PRIMARY KEY (env, digest)
);
CREATE TABLE outbox (
    key        TEXT PRIMARY KEY,
    n          BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    sent       BIGINT NOT NULL,
    ref        TEXT NOT NULL,
    body       TEXT NOT NULL
);
CREATE INDEX outbox_due ON outbox (not_before, n) WHERE sent = 0;
CREATE TABLE audit_log (
    seq   BIGINT PRIMARY KEY,
    at    BIGINT NOT NULL,
    kind  TEXT NOT NULL,
    env   TEXT NOT NULL,
    run   TEXT NOT NULL,
    actor TEXT NOT NULL,
    body  TEXT NOT NULL,
    prev  TEXT NOT NULL,
    hash  TEXT NOT NULL
);

-- +goose Down
DROP TABLE audit_log;
DROP TABLE outbox;
DROP TABLE approvals;
DROP TABLE evaluations;
DROP TABLE observations;
DROP TABLE ended;
DROP TABLE resources;
DROP TABLE events;
DROP TABLE runs;
DROP TABLE leases;
DROP TABLE environments;
