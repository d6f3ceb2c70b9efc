-- +goose Up
-- What is known of pull requests.
CREATE TABLE pulls (
    repo    TEXT NOT NULL,
    number  BIGINT NOT NULL,
    open    BIGINT NOT NULL, -- 1 or 0
    updated BIGINT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (repo, number)
);
-- What forges told of them, each once. The last row stays, since n rises from it.
CREATE TABLE deliveries (
    n     BIGINT PRIMARY KEY,
    repo  TEXT NOT NULL,
    id    TEXT NOT NULL,
    event TEXT NOT NULL,
    pull  BIGINT NOT NULL,
    ref   TEXT NOT NULL,
    at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX deliveries_once ON deliveries (repo, id);
CREATE INDEX deliveries_of_repo ON deliveries (repo, n);

-- +goose Down
DROP TABLE deliveries;
DROP TABLE pulls;
