-- Version 8: what a person says beside a decision, a run and a checkpoint; checkpoints that were deleted and can be brought
-- back until their folder is removed.
ALTER TABLE decisions ADD COLUMN note TEXT;
-- The store in which it was decided, where that is another one.
ALTER TABLE decisions ADD COLUMN origin TEXT;
ALTER TABLE runs ADD COLUMN name TEXT;
ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE checkpoints ADD COLUMN name TEXT;
ALTER TABLE checkpoints ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE checkpoints ADD COLUMN deleted_ms INTEGER;
