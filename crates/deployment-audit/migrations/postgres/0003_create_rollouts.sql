-- What the events of a rollout add up to, for lists and for rules that the database itself holds.
CREATE TABLE rollouts (
    rollout_id TEXT PRIMARY KEY,
    environment TEXT NOT NULL,
    model TEXT NOT NULL,
    requester TEXT NOT NULL,
    phase TEXT NOT NULL,
    approvals BIGINT NOT NULL,
    has_broken_glass BIGINT NOT NULL CHECK (has_broken_glass IN (0, 1)),
    last_sequence BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- Outside development nothing starts without another person's approval, except with broken glass.
    CONSTRAINT approved_before_use CHECK (
        phase IN ('proposed', 'awaiting_approval', 'rejected', 'expired', 'cancelled', 'superseded')
        OR environment = 'development' OR approvals >= 1 OR has_broken_glass = 1
    )
);

-- One rollout at a time has the traffic of an environment.
CREATE UNIQUE INDEX one_rollout_under_way ON rollouts (environment)
    WHERE phase IN (
        'preparing', 'verifying', 'gated', 'waiting', 'shifting', 'baking', 'judging', 'finalizing',
        'rolling_back', 'settling', 'confirming', 'rollback_stuck'
    );

-- Four eyes: a person has one part in a rollout. Whoever made it (author, committer, requester) is in the way of
-- their own approval, and nobody approves twice. Identities are folded: "Ann" and "ann" are one person.
CREATE TABLE rollout_people (
    rollout_id TEXT NOT NULL REFERENCES rollouts (rollout_id),
    identity TEXT NOT NULL,
    part TEXT NOT NULL CHECK (part IN ('maker', 'approver')),
    PRIMARY KEY (rollout_id, identity)
);

-- Each event names the digest of the one before it; its leaf in the transparency log is what the digest is over.
CREATE TABLE rollout_events (
    rollout_id TEXT NOT NULL REFERENCES rollouts (rollout_id),
    sequence BIGINT NOT NULL CHECK (sequence >= 1),
    occurred_at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    digest BYTEA NOT NULL CHECK (length(digest) = 32),
    leaf_index BIGINT NOT NULL UNIQUE REFERENCES leaves (leaf_index),
    PRIMARY KEY (rollout_id, sequence)
);

-- Who may act alone, until when. The epoch rises with every new holder; a write that names an older one is refused.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    epoch BIGINT NOT NULL CHECK (epoch >= 1),
    held_until BIGINT NOT NULL
);
