-- The bins that features and score fall into, sealed with the applicant's key, for drift. Decisions from before have none.
ALTER TABLE decisions ADD COLUMN bins BLOB;
