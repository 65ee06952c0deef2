-- The decision log. Its index starts at 1 and has no gaps, so readers can page by "greater than mine".
CREATE TABLE decisions (
    log_index      INTEGER PRIMARY KEY CHECK (log_index > 0),
    decision_id    TEXT    NOT NULL UNIQUE,
    application_id TEXT    NOT NULL,
    decided_at     INTEGER NOT NULL,
    outcome        TEXT    NOT NULL CHECK (outcome IN ('approve', 'refer', 'deny')),
    score          INTEGER NOT NULL,
    probability    REAL    NOT NULL,
    model          TEXT    NOT NULL,
    arm            TEXT    NOT NULL,
    record         BLOB    NOT NULL,
    record_digest  BLOB    NOT NULL CHECK (length(record_digest) = 32)
) STRICT;
CREATE INDEX decisions_by_application ON decisions (application_id, log_index);

-- Keys of clients for "the same request again". Rows are purged after some days; decisions stay.
CREATE TABLE idempotency (
    client      TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    decision_id TEXT    NOT NULL,
    log_index   INTEGER NOT NULL REFERENCES decisions (log_index),
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (client, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- The sequencer: one row, locked by each batch.
CREATE TABLE log_head (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    last_index INTEGER NOT NULL CHECK (last_index >= 0)
) STRICT;
INSERT INTO log_head (id, last_index) VALUES (1, 0);

-- The traffic table in force: one row; arms are a JSON array.
CREATE TABLE traffic (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL CHECK (generation >= 0),
    salt       TEXT    NOT NULL,
    arms       TEXT    NOT NULL
) STRICT;
INSERT INTO traffic (id, generation, salt, arms) VALUES (1, 0, '', '[]');
