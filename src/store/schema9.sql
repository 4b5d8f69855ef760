-- Version 9: the jobs of a study, each once: what decides it, what came of it, and the run that it began.
CREATE TABLE study_jobs (
    job TEXT PRIMARY KEY, spec TEXT NOT NULL, run INTEGER, result TEXT, error TEXT,
    started_ms INTEGER NOT NULL, finished_ms INTEGER
) WITHOUT ROWID;
