-- Keys from before encryption stand in the clear until they are purged.
ALTER TABLE idempotency ADD COLUMN in_the_clear INTEGER NOT NULL DEFAULT 0;
UPDATE idempotency SET in_the_clear = 1;
