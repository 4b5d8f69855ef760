-- Version 11: whether an evaluation left out actions that had been tried in the same state.
ALTER TABLE evaluations ADD COLUMN no_repeat INTEGER;
