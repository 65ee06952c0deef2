-- Everything about decisions belongs to a tenant; what was there before belongs to "default".
ALTER TABLE decisions ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
ALTER TABLE idempotency ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey, ADD PRIMARY KEY (tenant, client, key);
CREATE INDEX decisions_by_tenant ON decisions (tenant, log_index);

-- A second wall behind the queries: a role that neither owns the tables nor bypasses row security sees only the rows
-- of the tenant that its transaction names, and every row where the transaction names '*', as the log's writer and
-- its feed do. Without a name it sees nothing.
ALTER TABLE decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
CREATE POLICY decisions_of_tenant ON decisions
    USING (current_setting('app.tenant', true) IN (tenant, '*'))
    WITH CHECK (current_setting('app.tenant', true) = '*');
CREATE POLICY idempotency_of_tenant ON idempotency
    USING (current_setting('app.tenant', true) IN (tenant, '*'))
    WITH CHECK (current_setting('app.tenant', true) = '*');
