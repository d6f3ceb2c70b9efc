-- +goose Up
-- Of a create that was given up, where it would be if it showed yet; '' of what
-- ended otherwise, or before this version.
ALTER TABLE ended ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE ended ADD COLUMN body TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE ended DROP COLUMN body;
ALTER TABLE ended DROP COLUMN address;
