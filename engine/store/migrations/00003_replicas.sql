-- +goose Up
-- The commit that any process last saw of a repository; gen counts the changes.
CREATE TABLE heads (
    repo        TEXT PRIMARY KEY,
    commit_hash TEXT NOT NULL,
    gen         BIGINT NOT NULL
);
-- What is to be told to whoever works on an environment next. A row with a slot
-- takes the place of the one before it there. Used where several processes share
-- the work.
CREATE TABLE inbox (
    n    BIGINT PRIMARY KEY,
    key  TEXT NOT NULL,
    slot TEXT NOT NULL,
    due  BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX inbox_due ON inbox (key, due, n);

-- What all processes on the store must agree on, such as which key they use.
CREATE TABLE agreements (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- +goose Down
DROP TABLE agreements;
DROP TABLE inbox;
DROP TABLE heads;
