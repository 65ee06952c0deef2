-- What people decided after the system had decided. The latest review of a decision counts.
CREATE TABLE reviews (
    place       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    review_id   TEXT   NOT NULL UNIQUE,
    decision_id TEXT   NOT NULL REFERENCES decisions (decision_id),
    reviewer    TEXT   NOT NULL,
    outcome     TEXT   NOT NULL CHECK (outcome IN ('approve', 'deny')),
    reasons     TEXT   NOT NULL,
    note        TEXT   NOT NULL,
    reviewed_at BIGINT NOT NULL,
    client      TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    fingerprint BYTEA  NOT NULL CHECK (length(fingerprint) = 32),
    UNIQUE (client, key)
);
CREATE INDEX reviews_by_decision ON reviews (decision_id, place);

-- Which adverse action notice went out, when and how.
CREATE TABLE notice_deliveries (
    place         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decision_id   TEXT   NOT NULL REFERENCES decisions (decision_id),
    channel       TEXT   NOT NULL CHECK (channel IN ('mail', 'email', 'portal', 'in_person')),
    sent_at       BIGINT NOT NULL,
    notice_digest BYTEA  NOT NULL CHECK (length(notice_digest) = 32),
    recorded_at   BIGINT NOT NULL,
    client        TEXT   NOT NULL,
    key           TEXT   NOT NULL,
    fingerprint   BYTEA  NOT NULL CHECK (length(fingerprint) = 32),
    UNIQUE (client, key)
);
CREATE INDEX notice_deliveries_by_decision ON notice_deliveries (decision_id, place);

-- Both are only ever added to.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER reviews_are_kept BEFORE UPDATE OR DELETE ON reviews
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER notice_deliveries_are_kept BEFORE UPDATE OR DELETE ON notice_deliveries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Keys that every gateway on this store shares, made by the first one that needs them.
CREATE TABLE signing_keys (
    purpose TEXT  PRIMARY KEY,
    key     BYTEA NOT NULL CHECK (length(key) = 32)
);
