-- How far the decision log has been read, and how much is stored. One row; every writer locks it first, so that a
-- decision and its demographics that arrive at the same time always find each other.
CREATE TABLE state (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    last_index   INTEGER NOT NULL CHECK (last_index >= 0),
    decisions    INTEGER NOT NULL CHECK (decisions >= 0),
    demographics INTEGER NOT NULL CHECK (demographics >= 0),
    outcomes     INTEGER NOT NULL CHECK (outcomes >= 0)
) STRICT;
INSERT INTO state (id, last_index, decisions, demographics, outcomes) VALUES (1, 0, 0, 0, 0);

-- Decisions as the feed tells them. No feature values.
CREATE TABLE decisions (
    log_index       INTEGER PRIMARY KEY CHECK (log_index > 0),
    decision_id     TEXT    NOT NULL UNIQUE,
    application_id  TEXT    NOT NULL,
    minute          INTEGER NOT NULL,
    model           TEXT    NOT NULL,
    arm             TEXT    NOT NULL,
    outcome         TEXT    NOT NULL CHECK (outcome IN ('approve', 'refer', 'deny')),
    score           INTEGER NOT NULL,
    probability_ppm INTEGER NOT NULL CHECK (probability_ppm BETWEEN 0 AND 1000000)
) STRICT;
CREATE INDEX decisions_by_application ON decisions (application_id, log_index);

-- Protected attributes by application; may come before the decision. A correction replaces the value.
CREATE TABLE demographics (
    application_id TEXT NOT NULL,
    attribute      TEXT NOT NULL,
    group_name     TEXT NOT NULL,
    source         TEXT NOT NULL CHECK (source IN ('self_reported', 'observed')),
    PRIMARY KEY (application_id, attribute)
) STRICT, WITHOUT ROWID;

-- Every outcome event, once. Senders choose the identifier; its order breaks ties, so it is the order of bytes.
CREATE TABLE outcome_events (
    event_id       TEXT    PRIMARY KEY NOT NULL,
    application_id TEXT    NOT NULL,
    outcome        TEXT    NOT NULL CHECK (outcome IN ('repaid', 'defaulted')),
    occurred_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The event in force for each application: the latest by (occurred_at, event_id).
CREATE TABLE outcomes (
    application_id TEXT    PRIMARY KEY NOT NULL,
    outcome        TEXT    NOT NULL CHECK (outcome IN ('repaid', 'defaulted')),
    occurred_at    INTEGER NOT NULL,
    event_id       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Sums over decisions. The attribute '' with the group '' holds every decision, known group or not. There is no
-- check for negative numbers: an increment may be negative, and the engine would test it before adding it.
CREATE TABLE counters (
    model              TEXT    NOT NULL,
    arm                TEXT    NOT NULL,
    attribute          TEXT    NOT NULL,
    group_name         TEXT    NOT NULL,
    minute             INTEGER NOT NULL,
    approved           INTEGER NOT NULL,
    referred           INTEGER NOT NULL,
    denied             INTEGER NOT NULL,
    score_sum          INTEGER NOT NULL,
    score_square_sum   INTEGER NOT NULL,
    approved_repaid    INTEGER NOT NULL,
    approved_defaulted INTEGER NOT NULL,
    PRIMARY KEY (model, arm, attribute, group_name, minute)
) STRICT, WITHOUT ROWID;

-- Predicted against realised defaults of the approved with a known outcome, by hundredth of the probability.
CREATE TABLE calibration (
    model             TEXT    NOT NULL,
    bin               INTEGER NOT NULL CHECK (bin BETWEEN 0 AND 99),
    labelled          INTEGER NOT NULL,
    defaulted         INTEGER NOT NULL,
    predicted_sum_ppm INTEGER NOT NULL,
    PRIMARY KEY (model, bin)
) STRICT, WITHOUT ROWID;
