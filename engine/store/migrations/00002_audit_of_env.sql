-- +goose Up
-- What happened to one environment, newest first.
CREATE INDEX audit_of_env ON audit_log (env, seq);

-- +goose Down
DROP INDEX audit_of_env;
