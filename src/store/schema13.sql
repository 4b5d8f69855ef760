-- Version 13: rollouts of reinforcement learning that are kept to be looked at (purpose 'rollout'): which update of which run
-- learnt from them, in which group, and what each choice was worth.
CREATE TABLE rollouts (
    run INTEGER NOT NULL REFERENCES runs (id), step INTEGER NOT NULL, grp INTEGER NOT NULL, place INTEGER NOT NULL,
    trajectory INTEGER NOT NULL REFERENCES trajectories (id), body TEXT NOT NULL,
    PRIMARY KEY (run, step, grp, place)
) WITHOUT ROWID;
CREATE INDEX rollouts_trajectory ON rollouts (trajectory);
