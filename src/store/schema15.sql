-- Version 15: what trajectories of other tools were read from, as it came: nothing of it that is not understood is lost.
CREATE TABLE imported (
    trajectory INTEGER PRIMARY KEY REFERENCES trajectories (id), format TEXT NOT NULL, source TEXT NOT NULL
);
