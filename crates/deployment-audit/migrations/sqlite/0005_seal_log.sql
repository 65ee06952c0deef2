-- A log that may not be signed takes no more leaves: what an older backup lacks can then be put back in its place.
ALTER TABLE log_head ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0 CHECK (sealed IN (0, 1));
