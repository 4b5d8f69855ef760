CREATE TABLE trajectories (
    id INTEGER PRIMARY KEY,
    suite TEXT NOT NULL, split TEXT NOT NULL, task_id TEXT NOT NULL, kind TEXT NOT NULL, task TEXT NOT NULL,
    purpose TEXT NOT NULL, actor TEXT NOT NULL, seed INTEGER NOT NULL,
    observation TEXT NOT NULL, admissible TEXT NOT NULL,
    success INTEGER NOT NULL, length INTEGER NOT NULL, created_ms INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX trajectories_by_use ON trajectories (purpose, suite, split, deleted);
CREATE TABLE steps (
    trajectory INTEGER NOT NULL REFERENCES trajectories (id), t INTEGER NOT NULL,
    action TEXT NOT NULL, source TEXT NOT NULL, observation TEXT NOT NULL, admissible TEXT NOT NULL,
    done INTEGER NOT NULL, success INTEGER NOT NULL,
    PRIMARY KEY (trajectory, t)
) WITHOUT ROWID;
CREATE TABLE branches (
    id INTEGER PRIMARY KEY,
    trajectory INTEGER NOT NULL REFERENCES trajectories (id), t INTEGER NOT NULL,
    action TEXT NOT NULL, source TEXT NOT NULL, observation TEXT NOT NULL, effect TEXT NOT NULL,
    done INTEGER NOT NULL, success INTEGER NOT NULL, created_ms INTEGER NOT NULL,
    UNIQUE (trajectory, t, action)
);
CREATE TABLE reflections (
    id INTEGER PRIMARY KEY,
    trajectory INTEGER NOT NULL REFERENCES trajectories (id), t INTEGER NOT NULL,
    generator TEXT NOT NULL, cites TEXT NOT NULL, created_ms INTEGER NOT NULL
);
CREATE INDEX reflections_by_state ON reflections (trajectory, t);
CREATE TABLE versions (
    reflection INTEGER NOT NULL REFERENCES reflections (id), n INTEGER NOT NULL,
    author TEXT NOT NULL, text TEXT NOT NULL, created_ms INTEGER NOT NULL,
    PRIMARY KEY (reflection, n)
) WITHOUT ROWID;
-- What a person did, oldest first. `undone` takes an act back without forgetting it.
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    reflection INTEGER NOT NULL REFERENCES reflections (id),
    act TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT, version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, undone INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX decisions_by_reflection ON decisions (reflection, undone);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    objective TEXT NOT NULL, status TEXT NOT NULL, config TEXT NOT NULL, seed INTEGER NOT NULL,
    start TEXT NOT NULL, step INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL,
    pid INTEGER, error TEXT, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
);
CREATE TABLE metrics (
    run INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL, name TEXT NOT NULL,
    value REAL, wall_ms INTEGER NOT NULL,
    PRIMARY KEY (run, name, step)
) WITHOUT ROWID;
CREATE TABLE checkpoints (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL, folder TEXT NOT NULL, created_ms INTEGER NOT NULL
);
CREATE TABLE evaluations (
    id INTEGER PRIMARY KEY,
    checkpoint TEXT NOT NULL, suite TEXT NOT NULL, split TEXT NOT NULL, seed INTEGER NOT NULL,
    n INTEGER NOT NULL, successes INTEGER NOT NULL, mean_steps REAL NOT NULL, created_ms INTEGER NOT NULL
);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
