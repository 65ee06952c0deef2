-- How far the decision log has been read, and how much is stored. One row; every writer locks it first, so that a
-- decision and its demographics that arrive at the same time always find each other.
CREATE TABLE state (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    last_index   BIGINT  NOT NULL CHECK (last_index >= 0),
    decisions    BIGINT  NOT NULL CHECK (decisions >= 0),
    demographics BIGINT  NOT NULL CHECK (demographics >= 0),
    outcomes     BIGINT  NOT NULL CHECK (outcomes >= 0)
);
INSERT INTO state (id, last_index, decisions, demographics, outcomes) VALUES (1, 0, 0, 0, 0);

-- Decisions as the feed tells them. No feature values.
CREATE TABLE decisions (
    log_index       BIGINT PRIMARY KEY CHECK (log_index > 0),
    decision_id     TEXT   NOT NULL UNIQUE,
    application_id  TEXT   NOT NULL,
    minute          BIGINT NOT NULL,
    model           TEXT   NOT NULL,
    arm             TEXT   NOT NULL,
    outcome         TEXT   NOT NULL CHECK (outcome IN ('approve', 'refer', 'deny')),
    score           BIGINT NOT NULL,
    probability_ppm BIGINT NOT NULL CHECK (probability_ppm BETWEEN 0 AND 1000000)
);
CREATE INDEX decisions_by_application ON decisions (application_id, log_index);

-- Protected attributes by application; may come before the decision. A correction replaces the value.
CREATE TABLE demographics (
    application_id TEXT NOT NULL,
    attribute      TEXT NOT NULL,
    group_name     TEXT NOT NULL,
    source         TEXT NOT NULL CHECK (source IN ('self_reported', 'observed')),
    PRIMARY KEY (application_id, attribute)
);

-- Every outcome event, once. Senders choose the identifier; its order breaks ties, so it is the order of bytes.
CREATE TABLE outcome_events (
    event_id       TEXT COLLATE "C" PRIMARY KEY,
    application_id TEXT   NOT NULL,
    outcome        TEXT   NOT NULL CHECK (outcome IN ('repaid', 'defaulted')),
    occurred_at    BIGINT NOT NULL
);

-- The event in force for each application: the latest by (occurred_at, event_id).
CREATE TABLE outcomes (
    application_id TEXT PRIMARY KEY,
    outcome        TEXT   NOT NULL CHECK (outcome IN ('repaid', 'defaulted')),
    occurred_at    BIGINT NOT NULL,
    event_id       TEXT   NOT NULL
);

-- Sums over decisions. The attribute '' with the group '' holds every decision, known group or not. There is no
-- check for negative numbers: an increment may be negative, and the engine would test it before adding it.
CREATE TABLE counters (
    model              TEXT   NOT NULL,
    arm                TEXT   NOT NULL,
    attribute          TEXT   NOT NULL,
    group_name         TEXT   NOT NULL,
    minute             BIGINT NOT NULL,
    approved           BIGINT NOT NULL,
    referred           BIGINT NOT NULL,
    denied             BIGINT NOT NULL,
    score_sum          BIGINT NOT NULL,
    score_square_sum   BIGINT NOT NULL,
    approved_repaid    BIGINT NOT NULL,
    approved_defaulted BIGINT NOT NULL,
    PRIMARY KEY (model, arm, attribute, group_name, minute)
);

-- Predicted against realised defaults of the approved with a known outcome, by hundredth of the probability.
CREATE TABLE calibration (
    model             TEXT   NOT NULL,
    bin               BIGINT NOT NULL CHECK (bin BETWEEN 0 AND 99),
    labelled          BIGINT NOT NULL,
    defaulted         BIGINT NOT NULL,
    predicted_sum_ppm BIGINT NOT NULL,
    PRIMARY KEY (model, bin)
);
