-- Two more outcomes: "counteroffer", and "incomplete" for an application on which no decision was possible, whose
-- score and probability are 0. The new check is added before the rows are looked at, so that writers wait for an
-- instant only; every row keeps it, because it is wider than the old one.
ALTER TABLE decisions DROP CONSTRAINT decisions_outcome_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_outcome_check
    CHECK (outcome IN ('approve', 'refer', 'deny', 'counteroffer', 'incomplete')) NOT VALID;
ALTER TABLE decisions VALIDATE CONSTRAINT decisions_outcome_check;
