-- What people decided after the system had decided. The latest review of a decision counts.
CREATE TABLE reviews (
    place       INTEGER PRIMARY KEY AUTOINCREMENT,
    review_id   TEXT    NOT NULL UNIQUE,
    decision_id TEXT    NOT NULL REFERENCES decisions (decision_id),
    reviewer    TEXT    NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('approve', 'deny')),
    reasons     TEXT    NOT NULL,
    note        TEXT    NOT NULL,
    reviewed_at INTEGER NOT NULL,
    client      TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    UNIQUE (client, key)
) STRICT;
CREATE INDEX reviews_by_decision ON reviews (decision_id, place);

-- Which adverse action notice went out, when and how.
CREATE TABLE notice_deliveries (
    place         INTEGER PRIMARY KEY AUTOINCREMENT,
    decision_id   TEXT    NOT NULL REFERENCES decisions (decision_id),
    channel       TEXT    NOT NULL CHECK (channel IN ('mail', 'email', 'portal', 'in_person')),
    sent_at       INTEGER NOT NULL,
    notice_digest BLOB    NOT NULL CHECK (length(notice_digest) = 32),
    recorded_at   INTEGER NOT NULL,
    client        TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    fingerprint   BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    UNIQUE (client, key)
) STRICT;
CREATE INDEX notice_deliveries_by_decision ON notice_deliveries (decision_id, place);

-- Both are only ever added to.
CREATE TRIGGER reviews_are_not_changed BEFORE UPDATE ON reviews
    BEGIN SELECT RAISE(ABORT, 'reviews is append-only'); END;
CREATE TRIGGER reviews_are_not_deleted BEFORE DELETE ON reviews
    BEGIN SELECT RAISE(ABORT, 'reviews is append-only'); END;
CREATE TRIGGER notice_deliveries_are_not_changed BEFORE UPDATE ON notice_deliveries
    BEGIN SELECT RAISE(ABORT, 'notice_deliveries is append-only'); END;
CREATE TRIGGER notice_deliveries_are_not_deleted BEFORE DELETE ON notice_deliveries
    BEGIN SELECT RAISE(ABORT, 'notice_deliveries is append-only'); END;

-- Keys that every gateway on this store shares, made by the first one that needs them.
CREATE TABLE signing_keys (
    purpose TEXT PRIMARY KEY,
    key     BLOB NOT NULL CHECK (length(key) = 32)
) STRICT, WITHOUT ROWID;
