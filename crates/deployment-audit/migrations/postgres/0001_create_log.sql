-- The transparency log. One row of log_head is the lock that keeps leaf indexes free of gaps.
CREATE TABLE log_head (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    size BIGINT NOT NULL CHECK (size >= 0)
);
INSERT INTO log_head (singleton, size) VALUES (1, 0);

CREATE TABLE leaves (
    leaf_index BIGINT PRIMARY KEY CHECK (leaf_index >= 0),
    data BYTEA NOT NULL
);

-- A row is stored before its note is served; the note is what outsiders hold.
CREATE TABLE checkpoints (
    size BIGINT PRIMARY KEY CHECK (size >= 0),
    root BYTEA NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Record digests of decisions, in log order, 32 bytes each.
CREATE TABLE decision_batches (
    first_index BIGINT PRIMARY KEY CHECK (first_index >= 1),
    last_index BIGINT NOT NULL UNIQUE,
    leaf_index BIGINT NOT NULL UNIQUE REFERENCES leaves (leaf_index),
    digests BYTEA NOT NULL,
    CHECK (last_index >= first_index),
    CHECK (length(digests) = 32 * (last_index - first_index + 1))
);
