-- Version 4: what was drawn from where, what a run trains on, what an evaluation played.
-- An alternative stands in the pools of those who proposed it; `rank` is the draw, so that the first K are the pool of K.
CREATE TABLE pools (
    branch INTEGER NOT NULL REFERENCES branches (id), pool TEXT NOT NULL, rank INTEGER NOT NULL,
    source TEXT NOT NULL, model TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (branch, pool)
) WITHOUT ROWID;
INSERT INTO pools (branch, pool, rank, source)
    SELECT id, pool, row_number() OVER (PARTITION BY trajectory, t, pool ORDER BY id) - 1, source FROM (
        SELECT id, trajectory, t, source, CASE WHEN source IN ('uniform', 'policy') THEN source ELSE 'explore' END AS pool
        FROM branches);
-- The trajectories, alternatives and versions of reflections that a run trains on, as JSON.
CREATE TABLE run_data (run INTEGER PRIMARY KEY REFERENCES runs (id), record TEXT NOT NULL);
ALTER TABLE trajectories ADD COLUMN world TEXT;
ALTER TABLE evaluations ADD COLUMN games_seed INTEGER;
ALTER TABLE evaluations ADD COLUMN temperature REAL;
ALTER TABLE evaluations ADD COLUMN step_limit INTEGER;
ALTER TABLE evaluations ADD COLUMN think INTEGER;
ALTER TABLE evaluations ADD COLUMN restriction TEXT;
ALTER TABLE evaluations ADD COLUMN games TEXT;
ALTER TABLE evaluations ADD COLUMN record TEXT;
CREATE TABLE evaluation_games (
    evaluation INTEGER NOT NULL REFERENCES evaluations (id), task_id TEXT NOT NULL,
    success INTEGER NOT NULL, steps INTEGER NOT NULL, trajectory INTEGER NOT NULL REFERENCES trajectories (id),
    PRIMARY KEY (evaluation, task_id)
) WITHOUT ROWID;
-- What a policy thought before it acted.
CREATE TABLE thoughts (
    trajectory INTEGER NOT NULL REFERENCES trajectories (id), t INTEGER NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (trajectory, t)
) WITHOUT ROWID;
-- How right a model's predictions are, on a fixed set of transitions: each time it was measured, as JSON.
CREATE TABLE foresights (
    id INTEGER PRIMARY KEY, checkpoint TEXT NOT NULL, suite TEXT NOT NULL, split TEXT NOT NULL, result TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);
