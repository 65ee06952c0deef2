-- The decision log. Its index starts at 1 and has no gaps, so readers can page by "greater than mine".
CREATE TABLE decisions (
    log_index      BIGINT           PRIMARY KEY CHECK (log_index > 0),
    decision_id    TEXT             NOT NULL UNIQUE,
    application_id TEXT             NOT NULL,
    decided_at     BIGINT           NOT NULL,
    outcome        TEXT             NOT NULL CHECK (outcome IN ('approve', 'refer', 'deny')),
    score          INTEGER          NOT NULL,
    probability    DOUBLE PRECISION NOT NULL,
    model          TEXT             NOT NULL,
    arm            TEXT             NOT NULL,
    record         BYTEA            NOT NULL,
    record_digest  BYTEA            NOT NULL CHECK (length(record_digest) = 32)
);
CREATE INDEX decisions_by_application ON decisions (application_id, log_index);

-- Keys of clients for "the same request again". Rows are purged after some days; decisions stay.
CREATE TABLE idempotency (
    client      TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    fingerprint BYTEA  NOT NULL CHECK (length(fingerprint) = 32),
    decision_id TEXT   NOT NULL,
    log_index   BIGINT NOT NULL REFERENCES decisions (log_index),
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (client, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- The sequencer: one row, locked by each batch.
CREATE TABLE log_head (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    last_index BIGINT  NOT NULL CHECK (last_index >= 0)
);
INSERT INTO log_head (id, last_index) VALUES (1, 0);

-- The traffic table in force: one row; arms are a JSON array.
CREATE TABLE traffic (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    generation BIGINT  NOT NULL CHECK (generation >= 0),
    salt       TEXT    NOT NULL,
    arms       TEXT    NOT NULL
);
INSERT INTO traffic (id, generation, salt, arms) VALUES (1, 0, '', '[]');
