-- Version 7: games of an evaluation that their world broke off; they count neither as won nor as lost.
ALTER TABLE evaluations ADD COLUMN broke_off INTEGER NOT NULL DEFAULT 0;
