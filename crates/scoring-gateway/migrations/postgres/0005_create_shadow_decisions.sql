-- Which table each gateway serves: a row per process, by the clock of this server.
CREATE TABLE gateway_instances (
    instance_id TEXT    PRIMARY KEY,
    generation  BIGINT NOT NULL CHECK (generation >= 0),
    seen_at     BIGINT NOT NULL
);

-- Shadow arms of the table in force: a JSON array.
ALTER TABLE traffic ADD COLUMN shadows TEXT NOT NULL DEFAULT '[]';

-- Every table that was ever in force, as decisions name it by its generation.
CREATE TABLE traffic_tables (
    generation BIGINT PRIMARY KEY,
    salt       TEXT NOT NULL,
    arms       TEXT NOT NULL,
    shadows    TEXT NOT NULL
);
INSERT INTO traffic_tables (generation, salt, arms, shadows) SELECT generation, salt, arms, shadows FROM traffic;
CREATE FUNCTION keep_traffic_table() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO traffic_tables (generation, salt, arms, shadows)
        VALUES (NEW.generation, NEW.salt, NEW.arms, NEW.shadows);
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_traffic_table AFTER UPDATE ON traffic FOR EACH ROW EXECUTE FUNCTION keep_traffic_table();

-- How far each shadow arm is: it has seen every decision up to its position. One gateway at a time works on an arm.
CREATE TABLE shadow_arms (
    arm              TEXT PRIMARY KEY,
    since_generation BIGINT NOT NULL,
    model            TEXT NOT NULL,
    after_index      BIGINT NOT NULL CHECK (after_index >= 0),
    position         BIGINT NOT NULL CHECK (position >= after_index),
    holder           TEXT NOT NULL,
    held_until       BIGINT NOT NULL
);

-- What shadow arms would have decided, beside what was decided. A sampled decision without a result says why.
CREATE TABLE shadow_decisions (
    arm                TEXT NOT NULL,
    log_index          BIGINT NOT NULL,
    tenant             TEXT NOT NULL,
    live_arm           TEXT NOT NULL,
    live_model         TEXT NOT NULL,
    live_outcome       TEXT NOT NULL,
    live_score         INTEGER NOT NULL,
    live_probability   DOUBLE PRECISION NOT NULL,
    live_reasons       TEXT NOT NULL,
    live_record_digest BYTEA NOT NULL CHECK (length(live_record_digest) = 32),
    model              TEXT NOT NULL,
    dropped            TEXT CHECK (dropped IN ('backlog', 'deadline', 'unavailable', 'inputs', 'failed')),
    outcome            TEXT,
    score              INTEGER,
    probability        DOUBLE PRECISION,
    reasons            TEXT,
    record_digest      BYTEA CHECK (length(record_digest) = 32),
    PRIMARY KEY (arm, log_index),
    CHECK ((dropped IS NULL) = (outcome IS NOT NULL))
);
ALTER TABLE shadow_decisions ENABLE ROW LEVEL SECURITY;
CREATE POLICY shadow_decisions_of_tenant ON shadow_decisions
    USING (current_setting('app.tenant', true) IN (tenant, '*'))
    WITH CHECK (current_setting('app.tenant', true) = '*');
