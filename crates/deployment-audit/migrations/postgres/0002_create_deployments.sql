-- What the events of a deployment add up to, for lookups and for rules that the database itself holds.
-- author, requester and approver are identities in lower case: "Ann" and "ann" are one person.
CREATE TABLE deployments (
    deployment_id TEXT PRIMARY KEY,
    environment TEXT NOT NULL,
    author TEXT NOT NULL CHECK (author = lower(author)),
    requester TEXT NOT NULL CHECK (requester = lower(requester)),
    approver TEXT CHECK (approver = lower(approver)),
    state TEXT NOT NULL,
    last_sequence BIGINT NOT NULL,
    -- Four eyes: outside development nothing leaves the registered state without another person's approval.
    CONSTRAINT four_eyes CHECK (approver <> author AND approver <> requester),
    CONSTRAINT approved_before_use CHECK (
        state = 'registered' OR environment = 'development' OR approver IS NOT NULL
    )
);

-- Only one deployment at a time changes the traffic of an environment, so that a rollback always
-- finds the table that it recorded.
CREATE UNIQUE INDEX one_change_in_flight ON deployments (environment)
    WHERE state IN ('activating', 'rolling_back');

CREATE TABLE deployment_events (
    deployment_id TEXT NOT NULL REFERENCES deployments (deployment_id),
    sequence BIGINT NOT NULL CHECK (sequence >= 1),
    occurred_at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    leaf_index BIGINT NOT NULL UNIQUE REFERENCES leaves (leaf_index),
    PRIMARY KEY (deployment_id, sequence)
);
