-- Everything about decisions belongs to a tenant; what was there before belongs to "default".
ALTER TABLE decisions ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
CREATE INDEX decisions_by_tenant ON decisions (tenant, log_index);

-- SQLite cannot give a table another primary key.
CREATE TABLE tenant_idempotency (
    tenant      TEXT    NOT NULL DEFAULT 'default',
    client      TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    decision_id TEXT    NOT NULL,
    log_index   INTEGER NOT NULL REFERENCES decisions (log_index),
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, client, key)
) STRICT, WITHOUT ROWID;
INSERT INTO tenant_idempotency (client, key, fingerprint, decision_id, log_index, created_at)
    SELECT client, key, fingerprint, decision_id, log_index, created_at FROM idempotency;
DROP TABLE idempotency;
ALTER TABLE tenant_idempotency RENAME TO idempotency;
CREATE INDEX idempotency_by_age ON idempotency (created_at);
