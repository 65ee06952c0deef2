-- How far the gateway's erasures are followed: the place of the latest that is.
CREATE TABLE erasures_followed (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    place BIGINT  NOT NULL CHECK (place >= 0)
);
INSERT INTO erasures_followed (id, place) VALUES (1, 0);
CREATE INDEX outcome_events_by_application ON outcome_events (application_id);

-- Counters of a day stand together, so that a summary of each block is enough to find them when they are rolled up.
CREATE INDEX counters_by_minute ON counters USING brin (minute);
CREATE INDEX profiles_by_hour ON profiles USING brin (hour);
CREATE INDEX proxies_by_hour ON proxies USING brin (hour);
