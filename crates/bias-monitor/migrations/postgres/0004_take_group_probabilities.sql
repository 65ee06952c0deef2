-- What a version of a proxy says of an applicant; may come before the decision. The groups are a JSON array, and the
-- parts another of the same length: integers that add up to 2^40. A correction replaces both.
CREATE TABLE group_probabilities (
    application_id TEXT NOT NULL,
    attribute      TEXT NOT NULL,
    source         TEXT NOT NULL,
    proxy_version  TEXT NOT NULL,
    group_names    TEXT NOT NULL,
    parts          TEXT NOT NULL,
    PRIMARY KEY (application_id, attribute, source, proxy_version)
);

-- Sums over decisions with probabilities, by hour; as JSON. The place is what is between it and `counts`.
CREATE TABLE proxies (
    place         TEXT PRIMARY KEY,
    model         TEXT NOT NULL,
    arm           TEXT NOT NULL,
    attribute     TEXT NOT NULL,
    source        TEXT NOT NULL,
    proxy_version TEXT NOT NULL,
    group_names   TEXT NOT NULL,
    hour          BIGINT NOT NULL,
    counts        TEXT NOT NULL
);
CREATE INDEX proxies_by_model ON proxies (model, hour);
