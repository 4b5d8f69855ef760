-- Version 16: which of two answers to a call a person prefers: numbers of `call_alternatives`, 0 is what was said. Rows are
-- only added; the newest about two answers counts, and `stands` 0 takes it back.
CREATE TABLE call_preferences (
    id INTEGER PRIMARY KEY, call INTEGER NOT NULL REFERENCES calls (id),
    better INTEGER NOT NULL, worse INTEGER NOT NULL, stands INTEGER NOT NULL, created_ms INTEGER NOT NULL,
    CHECK (better != worse)
);
CREATE INDEX call_preferences_by_call ON call_preferences (call);
