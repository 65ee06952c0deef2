-- Two more outcomes: "counteroffer", and "incomplete" for an application on which no decision was possible, whose
-- score and probability are 0. SQLite cannot change a check, so the column is replaced; it asks for a default, which
-- nothing uses: every insert names the outcome.
ALTER TABLE decisions ADD COLUMN wider_outcome TEXT NOT NULL DEFAULT 'refer'
    CHECK (wider_outcome IN ('approve', 'refer', 'deny', 'counteroffer', 'incomplete'));
UPDATE decisions SET wider_outcome = outcome;
ALTER TABLE decisions DROP COLUMN outcome;
ALTER TABLE decisions RENAME COLUMN wider_outcome TO outcome;
