-- Which table each gateway serves: a row per process, by the clock of this machine.
CREATE TABLE gateway_instances (
    instance_id TEXT    PRIMARY KEY,
    generation  INTEGER NOT NULL CHECK (generation >= 0),
    seen_at     INTEGER NOT NULL
) STRICT;

-- Shadow arms of the table in force: a JSON array.
ALTER TABLE traffic ADD COLUMN shadows TEXT NOT NULL DEFAULT '[]';

-- Every table that was ever in force, as decisions name it by its generation.
CREATE TABLE traffic_tables (
    generation INTEGER PRIMARY KEY,
    salt       TEXT NOT NULL,
    arms       TEXT NOT NULL,
    shadows    TEXT NOT NULL
) STRICT;
INSERT INTO traffic_tables (generation, salt, arms, shadows) SELECT generation, salt, arms, shadows FROM traffic;
CREATE TRIGGER keep_traffic_table AFTER UPDATE ON traffic
BEGIN
    INSERT INTO traffic_tables (generation, salt, arms, shadows)
        VALUES (NEW.generation, NEW.salt, NEW.arms, NEW.shadows);
END;

-- How far each shadow arm is: it has seen every decision up to its position. One gateway at a time works on an arm.
CREATE TABLE shadow_arms (
    arm              TEXT PRIMARY KEY,
    since_generation INTEGER NOT NULL,
    model            TEXT NOT NULL,
    after_index      INTEGER NOT NULL CHECK (after_index >= 0),
    position         INTEGER NOT NULL CHECK (position >= after_index),
    holder           TEXT NOT NULL,
    held_until       INTEGER NOT NULL
) STRICT;

-- What shadow arms would have decided, beside what was decided. A sampled decision without a result says why.
CREATE TABLE shadow_decisions (
    arm                TEXT NOT NULL,
    log_index          INTEGER NOT NULL,
    tenant             TEXT NOT NULL,
    live_arm           TEXT NOT NULL,
    live_model         TEXT NOT NULL,
    live_outcome       TEXT NOT NULL,
    live_score         INTEGER NOT NULL,
    live_probability   REAL NOT NULL,
    live_reasons       TEXT NOT NULL,
    live_record_digest BLOB NOT NULL CHECK (length(live_record_digest) = 32),
    model              TEXT NOT NULL,
    dropped            TEXT CHECK (dropped IN ('backlog', 'deadline', 'unavailable', 'inputs', 'failed')),
    outcome            TEXT,
    score              INTEGER,
    probability        REAL,
    reasons            TEXT,
    record_digest      BLOB CHECK (length(record_digest) = 32),
    PRIMARY KEY (arm, log_index),
    CHECK ((dropped IS NULL) = (outcome IS NOT NULL))
) STRICT;
