-- Version 3: lists and counts over millions of rows. How a reflection stands is kept beside it, by whatever writes an
-- act of curation or takes one back; what lists of trajectories show stands in one index, so that none reads their texts.
ALTER TABLE reflections ADD COLUMN verdict TEXT NOT NULL DEFAULT 'pending';
CREATE TRIGGER decided AFTER INSERT ON decisions BEGIN
    UPDATE reflections SET verdict = new.verdict WHERE id = new.reflection AND new.undone = 0;
END;
CREATE TRIGGER turned AFTER UPDATE OF undone ON decisions BEGIN
    UPDATE reflections SET verdict = coalesce(
        (SELECT verdict FROM decisions WHERE reflection = new.reflection AND undone = 0 ORDER BY id DESC LIMIT 1), 'pending')
    WHERE id = new.reflection;
END;
UPDATE reflections SET verdict = coalesce(
    (SELECT verdict FROM decisions WHERE reflection = reflections.id AND undone = 0 ORDER BY id DESC LIMIT 1), 'pending');
CREATE INDEX reflections_by_verdict ON reflections (verdict, trajectory);
CREATE INDEX trajectories_listed ON trajectories
    (deleted, id, purpose, success, length, suite, split, kind, task, actor, task_id);
-- What a model expected of an action before it was executed.
CREATE TABLE predictions (
    trajectory INTEGER NOT NULL REFERENCES trajectories (id), t INTEGER NOT NULL,
    action TEXT NOT NULL, model TEXT NOT NULL, text TEXT NOT NULL, created_ms INTEGER NOT NULL,
    PRIMARY KEY (trajectory, t, action, model)
) WITHOUT ROWID;
