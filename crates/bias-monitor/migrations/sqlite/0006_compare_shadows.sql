-- How far the outcomes of each shadow arm are in the evidence, and by which policy. Another generation is another arm.
CREATE TABLE shadow_arms (
    arm              TEXT   PRIMARY KEY,
    since_generation BIGINT NOT NULL,
    model            TEXT   NOT NULL,
    policy           TEXT   NOT NULL,
    last_index       BIGINT NOT NULL CHECK (last_index >= 0)
);

-- What is known of how much a model in the shadow widens the gap between groups, compared with the model that decided;
-- as JSON. Whoever changes it locks the row of `evidence` first.
CREATE TABLE gap_watches (
    model      TEXT NOT NULL,
    baseline   TEXT NOT NULL,
    attribute  TEXT NOT NULL,
    group_name TEXT NOT NULL,
    policy     TEXT NOT NULL,
    watch      TEXT,
    judgement  TEXT,
    alarm      TEXT NOT NULL,
    PRIMARY KEY (model, baseline, attribute, group_name)
);

-- Empty where an alarm is of a model's own decisions.
ALTER TABLE alarm_entries ADD COLUMN baseline TEXT NOT NULL DEFAULT '';
