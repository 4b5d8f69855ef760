-- Version 2: bulk decisions are one act, and unfinished edits survive.
ALTER TABLE decisions ADD COLUMN batch INTEGER;
CREATE TABLE drafts (reflection INTEGER PRIMARY KEY REFERENCES reflections (id), text TEXT NOT NULL, updated_ms INTEGER NOT NULL);
