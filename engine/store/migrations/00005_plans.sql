-- +goose Up
-- The plans that people were shown last.
CREATE TABLE plans (
    env    TEXT NOT NULL,
    digest TEXT NOT NULL,
    shown  BIGINT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (env, digest)
);

-- +goose Down
DROP TABLE plans;
