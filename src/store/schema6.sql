-- Version 6: what steps are worth, whether an episode was cut off, and forms of free text beside (or in place of) a list of
-- actions. `admissible` is a JSON list, or null where the environment lists nothing: lists that are empty were written by
-- programs that knew only suites with lists, and stay lists.
ALTER TABLE trajectories ADD COLUMN free TEXT NOT NULL DEFAULT '[]';
ALTER TABLE trajectories ADD COLUMN reward REAL NOT NULL DEFAULT 0;
ALTER TABLE steps ADD COLUMN free TEXT NOT NULL DEFAULT '[]';
ALTER TABLE steps ADD COLUMN reward REAL NOT NULL DEFAULT 0;
ALTER TABLE steps ADD COLUMN truncated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE branches ADD COLUMN reward REAL NOT NULL DEFAULT 0;
ALTER TABLE evaluations ADD COLUMN mean_reward REAL;
ALTER TABLE evaluation_games ADD COLUMN reward REAL;
-- All suites until now: success is worth 1, once.
UPDATE steps SET reward = 1 WHERE success = 1 AND t = (SELECT min(t) FROM steps AS first
    WHERE first.trajectory = steps.trajectory AND first.success = 1);
UPDATE branches SET reward = 1 WHERE success = 1;
UPDATE trajectories SET reward = success;
UPDATE evaluations SET mean_reward = CAST(successes AS REAL) / n WHERE n > 0;
UPDATE evaluation_games SET reward = success;
