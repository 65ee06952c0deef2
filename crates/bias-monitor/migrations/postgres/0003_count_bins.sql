-- The bins that features and score of a decision fall into; none where the feed did not tell.
ALTER TABLE decisions ADD COLUMN bins TEXT NOT NULL DEFAULT '';

-- Decisions by bin, of all ('' and '') or of a group, by hour; as JSON. The place is what is between them and `counts`.
CREATE TABLE profiles (
    place      TEXT PRIMARY KEY,
    model      TEXT NOT NULL,
    arm        TEXT NOT NULL,
    attribute  TEXT NOT NULL,
    group_name TEXT NOT NULL,
    hour       BIGINT NOT NULL,
    counts     TEXT NOT NULL
);
CREATE INDEX profiles_by_model ON profiles (model, hour);

-- What a model was built on, as JSON, from the gateway.
CREATE TABLE model_profiles (
    model     TEXT PRIMARY KEY,
    variables TEXT NOT NULL
);

-- Identifiers are equal or not; the order of a language says nothing about them, and costs a twentieth of a batch.
ALTER TABLE decisions ALTER COLUMN application_id TYPE TEXT COLLATE "C";
ALTER TABLE demographics ALTER COLUMN application_id TYPE TEXT COLLATE "C", ALTER COLUMN attribute TYPE TEXT COLLATE "C";
ALTER TABLE outcomes ALTER COLUMN application_id TYPE TEXT COLLATE "C";
ALTER TABLE outcome_events ALTER COLUMN application_id TYPE TEXT COLLATE "C";
