-- Version 14: what agents of others asked of their models through the gateway. Rows are added and never changed, but for the
-- name that a person gives an agent.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, keyed INTEGER NOT NULL, created_ms INTEGER NOT NULL
);
-- Who asks: told apart by what its system message begins with and by its tools, or by the name in its key.
CREATE TABLE agents (
    id INTEGER PRIMARY KEY, mark TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
    system TEXT NOT NULL, tools TEXT NOT NULL, created_ms INTEGER NOT NULL
);
-- Messages of a session, as a tree: `parent` is what was said before it, 0 where nothing was.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions (id), parent INTEGER NOT NULL,
    digest TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (session, parent, digest)
);
-- `asked` is the last message of the request, `answered` the reply (none where the call failed: `reply` says why);
-- `variants` has messages of the request that are written otherwise than the tree has them, by their place.
CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id), agent INTEGER NOT NULL REFERENCES agents (id),
    asked INTEGER NOT NULL REFERENCES messages (id), answered INTEGER REFERENCES messages (id),
    relation TEXT NOT NULL, dialect TEXT NOT NULL, model TEXT NOT NULL, mind TEXT NOT NULL,
    request TEXT NOT NULL, variants TEXT NOT NULL, reply TEXT NOT NULL, tokens TEXT,
    prompt_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL, cost REAL,
    began_ms INTEGER NOT NULL, ms INTEGER NOT NULL
);
CREATE INDEX calls_by_session ON calls (session);
CREATE INDEX calls_by_agent ON calls (agent);
CREATE INDEX calls_by_asked ON calls (asked);
CREATE INDEX calls_by_answered ON calls (answered);
-- Rewards and whatever else is told of a session; `after` is the last call that it had made then.
CREATE TABLE session_events (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions (id),
    after INTEGER NOT NULL, kind TEXT NOT NULL, value REAL, body TEXT NOT NULL, created_ms INTEGER NOT NULL
);
CREATE INDEX session_events_by_session ON session_events (session, kind);
-- Which demonstrations are conversations, by their last call.
CREATE TABLE calls_taken (
    call INTEGER PRIMARY KEY REFERENCES calls (id), trajectory INTEGER NOT NULL REFERENCES trajectories (id)
);
-- What a mind would have said in place of a reply: never executed.
CREATE TABLE call_alternatives (
    id INTEGER PRIMARY KEY, call INTEGER NOT NULL REFERENCES calls (id),
    mind TEXT NOT NULL, seed INTEGER NOT NULL, body TEXT NOT NULL, created_ms INTEGER NOT NULL,
    UNIQUE (call, body)
);
-- Prompts that are optimised, and every answer that was given on the way, by what was asked.
CREATE TABLE prompts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, design TEXT NOT NULL, created_ms INTEGER NOT NULL);
CREATE TABLE prompt_answers (
    prompt INTEGER NOT NULL REFERENCES prompts (id), asked TEXT NOT NULL, answer TEXT NOT NULL, created_ms INTEGER NOT NULL,
    PRIMARY KEY (prompt, asked)
) WITHOUT ROWID;
