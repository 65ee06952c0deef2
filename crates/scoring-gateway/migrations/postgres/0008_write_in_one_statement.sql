-- A sealed record does not compress, and one of 2 to 8 KB is cheaper in the row than beside it.
ALTER TABLE decisions ALTER COLUMN record SET STORAGE EXTERNAL;
ALTER TABLE decisions SET (toast_tuple_target = 8160);

-- Keys from before encryption stand in the clear until they are purged. While there are any, the primary key cannot
-- tell whether a key is taken.
ALTER TABLE idempotency ADD COLUMN in_the_clear BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE idempotency ALTER COLUMN in_the_clear SET DEFAULT FALSE;
CREATE INDEX idempotency_in_the_clear ON idempotency (created_at) WHERE in_the_clear;
