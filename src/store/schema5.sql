-- Version 5: whose weights a checkpoint holds, and what runs are asked to do by other programs.
-- Which store this is, however often it is copied.
CREATE TABLE store (id TEXT NOT NULL);
INSERT INTO store VALUES (lower(hex(randomblob(8))));
-- A number of its own for every run, of this store or another: numbers of rows begin at 1 again in each.
ALTER TABLE runs ADD COLUMN token TEXT;
ALTER TABLE runs ADD COLUMN request TEXT;
-- The digest of the weights that were saved.
ALTER TABLE checkpoints ADD COLUMN digest TEXT;
PRAGMA application_id = 1718579813;
