-- Keys from before encryption stand in the clear until they are purged. A writer says of its keys that they do not.
ALTER TABLE idempotency ADD COLUMN in_the_clear INTEGER NOT NULL DEFAULT 1;
