-- Clients and their API keys. Of a key only its keyed hash is stored; keys are a JSON array of at most two.
CREATE TABLE api_clients (
    client_id  TEXT    PRIMARY KEY CHECK (length(client_id) = 16),
    tenant     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    roles      TEXT    NOT NULL,
    keys       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    revision   INTEGER NOT NULL CHECK (revision > 0),
    UNIQUE (tenant, name)
) STRICT, WITHOUT ROWID;
