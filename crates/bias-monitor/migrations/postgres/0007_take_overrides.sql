-- What people decided instead of a model, or of what a model referred to them; each once. The last of a decision by
-- (occurred_at, event_id) is in force. May come before the decision.
CREATE TABLE overrides (
    event_id    TEXT COLLATE "C" PRIMARY KEY,
    decision_id TEXT   NOT NULL,
    outcome     TEXT   NOT NULL CHECK (outcome IN ('approve', 'deny')),
    reason      TEXT   NOT NULL,
    occurred_at BIGINT NOT NULL
);
CREATE INDEX overrides_by_decision ON overrides (decision_id, occurred_at, event_id);

-- A day's decisions stand together in the table, so that a summary of each block is enough to find them.
CREATE INDEX decisions_by_minute ON decisions USING brin (minute);
