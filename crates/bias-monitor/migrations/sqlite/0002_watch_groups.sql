-- How far the evidence has got, and by which policy. One row; whoever changes anything below locks it first.
CREATE TABLE evidence (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    policy     TEXT    NOT NULL,
    last_index INTEGER NOT NULL CHECK (last_index >= 0),
    last_entry INTEGER NOT NULL CHECK (last_entry >= 0)
) STRICT;
INSERT INTO evidence (id, policy, last_index, last_entry) VALUES (1, '', 0, 0);

-- What is known of each group that is watched, as JSON.
CREATE TABLE watches (
    model      TEXT NOT NULL,
    attribute  TEXT NOT NULL,
    group_name TEXT NOT NULL,
    watch      TEXT,
    judgement  TEXT,
    alarm      TEXT NOT NULL,
    PRIMARY KEY (model, attribute, group_name)
) STRICT;

-- Every change of every alarm, from 1 without gaps.
CREATE TABLE alarm_entries (
    sequence   INTEGER PRIMARY KEY CHECK (sequence > 0),
    model      TEXT NOT NULL,
    attribute  TEXT NOT NULL,
    group_name TEXT NOT NULL,
    entry      TEXT NOT NULL
) STRICT;
