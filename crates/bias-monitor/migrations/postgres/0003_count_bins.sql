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
