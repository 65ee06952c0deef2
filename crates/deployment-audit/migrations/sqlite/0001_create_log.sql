-- The transparency log. One row of log_head is the lock that keeps leaf indexes free of gaps.
CREATE TABLE log_head (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    size INTEGER NOT NULL CHECK (size >= 0)
) STRICT;
INSERT INTO log_head (singleton, size) VALUES (1, 0);

CREATE TABLE leaves (
    leaf_index INTEGER PRIMARY KEY CHECK (leaf_index >= 0),
    data BLOB NOT NULL
) STRICT;

-- A row is stored before its note is served; the note is what outsiders hold.
CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Record digests of decisions, in log order, 32 bytes each.
CREATE TABLE decision_batches (
    first_index INTEGER PRIMARY KEY CHECK (first_index >= 1),
    last_index INTEGER NOT NULL UNIQUE,
    leaf_index INTEGER NOT NULL UNIQUE REFERENCES leaves (leaf_index),
    digests BLOB NOT NULL,
    CHECK (last_index >= first_index),
    CHECK (length(digests) = 32 * (last_index - first_index + 1))
) STRICT;
