-- What people decided instead of a model, or of what a model referred to them; each once. The last of a decision by
-- (occurred_at, event_id) is in force. May come before the decision.
CREATE TABLE overrides (
    event_id    TEXT PRIMARY KEY,
    decision_id TEXT   NOT NULL,
    outcome     TEXT   NOT NULL CHECK (outcome IN ('approve', 'deny')),
    reason      TEXT   NOT NULL,
    occurred_at BIGINT NOT NULL
);
CREATE INDEX overrides_by_decision ON overrides (decision_id, occurred_at, event_id);
