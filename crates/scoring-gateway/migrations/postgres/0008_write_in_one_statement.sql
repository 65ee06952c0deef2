-- A sealed record does not compress, and one of 2 to 8 KB is cheaper in the row than beside it.
ALTER TABLE decisions ALTER COLUMN record SET STORAGE EXTERNAL;
ALTER TABLE decisions SET (toast_tuple_target = 8160);

-- Keys from before encryption, and those that a gateway of the release before still writes, stand in the clear until
-- they are purged. While there are any, the primary key cannot tell whether a key is taken, and the head of the log says
-- so. A writer says of its keys that they are not; the release before says nothing.
ALTER TABLE idempotency ADD COLUMN in_the_clear BOOLEAN NOT NULL DEFAULT TRUE;
CREATE INDEX idempotency_in_the_clear ON idempotency (created_at) WHERE in_the_clear;
ALTER TABLE log_head ADD COLUMN keys_in_the_clear BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE log_head SET keys_in_the_clear = EXISTS (SELECT 1 FROM idempotency);

CREATE FUNCTION note_key_in_the_clear() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE log_head SET keys_in_the_clear = TRUE WHERE id = 1 AND NOT keys_in_the_clear;
    RETURN NULL;
END $$;
CREATE TRIGGER keys_in_the_clear_are_noted AFTER INSERT ON idempotency
    FOR EACH ROW WHEN (NEW.in_the_clear) EXECUTE FUNCTION note_key_in_the_clear();

-- The head is locked before the look, so that no key in the clear comes in between.
CREATE FUNCTION note_keys_are_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM log_head WHERE id = 1 AND keys_in_the_clear FOR UPDATE;
    IF FOUND AND NOT EXISTS (SELECT 1 FROM idempotency WHERE in_the_clear) THEN
        UPDATE log_head SET keys_in_the_clear = FALSE WHERE id = 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER sealed_keys_are_noted AFTER DELETE ON idempotency
    FOR EACH STATEMENT EXECUTE FUNCTION note_keys_are_sealed();
