-- One data key for each application of a tenant, wrapped by a key-encryption key from a file. "applicant" is the blind
-- index of the application id. An erasure leaves the row and destroys what is in it. No other table refers to this one,
-- so that it can be backed up by itself and for a shorter time.
CREATE TABLE applicant_keys (
    tenant         TEXT   NOT NULL,
    applicant      BYTEA  NOT NULL CHECK (length(applicant) = 32),
    kek_id         TEXT,
    wrapped_key    BYTEA,
    application_id BYTEA,
    retain_until   TEXT   NOT NULL CHECK (length(retain_until) = 10),
    erased_at      BIGINT,
    PRIMARY KEY (tenant, applicant),
    CHECK ((erased_at IS NULL) = (kek_id IS NOT NULL)),
    CHECK ((erased_at IS NULL) = (wrapped_key IS NOT NULL)),
    CHECK ((erased_at IS NULL) = (application_id IS NOT NULL))
);
CREATE INDEX applicant_keys_by_kek ON applicant_keys (kek_id) WHERE kek_id IS NOT NULL;

-- Proofs of the keys in the file, so that a wrong file is noticed before anything is written with it.
CREATE TABLE key_checks (
    key_id TEXT  PRIMARY KEY,
    proof  BYTEA NOT NULL CHECK (length(proof) = 32)
);

-- A decision with an applicant is encrypted: its record under the applicant's data key, its application id (then empty
-- here) in the key's row. Rows without one are from before, and are encrypted in the background.
ALTER TABLE decisions ADD COLUMN applicant BYTEA;
CREATE INDEX decisions_by_applicant ON decisions (tenant, applicant, log_index) WHERE applicant IS NOT NULL;
CREATE INDEX decisions_in_the_clear ON decisions (tenant, application_id, log_index) WHERE applicant IS NULL;
DROP INDEX decisions_by_application;

-- A sealed review has reviewer, reasons and note in "sealed" alone.
ALTER TABLE reviews ADD COLUMN sealed BYTEA;
CREATE INDEX reviews_in_the_clear ON reviews (place) WHERE sealed IS NULL;
CREATE FUNCTION refuse_change_but_sealing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.sealed IS NULL AND NEW.sealed IS NOT NULL
        AND (NEW.place, NEW.review_id, NEW.decision_id, NEW.outcome, NEW.reviewed_at, NEW.client, NEW.key, NEW.fingerprint)
          = (OLD.place, OLD.review_id, OLD.decision_id, OLD.outcome, OLD.reviewed_at, OLD.client, OLD.key, OLD.fingerprint)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
DROP TRIGGER reviews_are_kept ON reviews;
CREATE TRIGGER reviews_are_kept BEFORE UPDATE OR DELETE ON reviews
    FOR EACH ROW EXECUTE FUNCTION refuse_change_but_sealing();

-- Who asked for the erasure of what, and when it was done. Only ever added to.
CREATE TABLE erasures (
    place       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      TEXT   NOT NULL,
    applicant   BYTEA  NOT NULL CHECK (length(applicant) = 32),
    event       TEXT   NOT NULL CHECK (event IN ('requested', 'executed')),
    actor       TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    recorded_at BIGINT NOT NULL,
    UNIQUE (tenant, applicant, event)
);
CREATE TRIGGER erasures_are_kept BEFORE UPDATE OR DELETE ON erasures
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- No key is destroyed without a record of it, and none comes back.
CREATE FUNCTION record_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.erased_at IS NOT NULL AND NEW.erased_at IS NULL THEN
        RAISE EXCEPTION 'an erased key does not come back';
    END IF;
    IF OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL THEN
        INSERT INTO erasures (tenant, applicant, event, actor, reason, recorded_at)
            SELECT NEW.tenant, NEW.applicant, 'executed', COALESCE(MAX(actor), 'database'), COALESCE(MAX(reason), ''),
                   NEW.erased_at
            FROM erasures WHERE tenant = NEW.tenant AND applicant = NEW.applicant AND event = 'requested';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER erasures_are_recorded AFTER UPDATE OF erased_at ON applicant_keys
    FOR EACH ROW EXECUTE FUNCTION record_erasure();

ALTER TABLE applicant_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;
CREATE POLICY applicant_keys_of_tenant ON applicant_keys
    USING (current_setting('app.tenant', true) IN (tenant, '*'))
    WITH CHECK (current_setting('app.tenant', true) = '*');
CREATE POLICY erasures_of_tenant ON erasures
    USING (current_setting('app.tenant', true) IN (tenant, '*'))
    WITH CHECK (current_setting('app.tenant', true) = '*');
