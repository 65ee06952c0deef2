-- What is known of a group that is watched by probabilities, as JSON. A column of its own, so that a release that does
-- not know of it finds no evidence there instead of one that it cannot read.
ALTER TABLE watches ADD COLUMN proxy_watch TEXT;
