//! Calls that agents of others made through the gateway: sessions, the agents that are told apart,
//! the messages as a tree, and what was told of a session (rewards).

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::conversation::{Placed, add_message, known_message, placed};
use super::{Store, now_ms};
use crate::error::{Error, Result};

/// What an event that says what a session was worth is called.
pub const REWARD: &str = "reward";

/// How a call stands to those before it in its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// Nothing that it says was said before, but for what the system says.
    Root,
    /// It goes on from a reply.
    Continued,
    /// The same, with messages written otherwise than they came (thoughts left out, arguments
    /// written anew).
    Realigned,
    /// It shares a beginning with another conversation and goes another way (history rewritten, a
    /// second try, an agent below another).
    Forked,
    /// The very same was asked before.
    Again,
}

impl Relation {
    const ALL: [Self; 5] =
        [Self::Root, Self::Continued, Self::Realigned, Self::Forked, Self::Again];

    /// The word used in the store and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Continued => "continued",
            Self::Realigned => "realigned",
            Self::Forked => "forked",
            Self::Again => "again",
        }
    }

    /// The relation of that word.
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relation| relation.as_str() == word)
    }
}

/// A message and what tells it from others, whoever writes it down.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// The message as it came, in the form of chat completions.
    pub body: String,
    /// What stays the same when a harness writes it anew ([`crate::digest`]).
    pub digest: u64,
    /// Whether the system says it.
    pub is_system: bool,
}

/// A call about to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCall {
    /// Its session's name.
    pub session: String,
    /// What tells its agent from others, and the name that it is first given.
    pub agent: NewAgent,
    /// What was said before, the last message last; never empty.
    pub asked: Vec<NewMessage>,
    /// The reply; none where the call failed.
    pub answered: Option<NewMessage>,
    /// `chat`, `completions`, `responses` or `messages`.
    pub dialect: &'static str,
    /// The model that the agent asked for.
    pub model: String,
    /// Who answered.
    pub mind: String,
    /// The request without its messages.
    pub request: Value,
    /// How the reply ended and what else was said of it; of a failure, why.
    pub reply: Value,
    /// The tokens that were written and their log-probabilities, where the mind gave them.
    pub tokens: Option<Value>,
    /// Tokens of the prompt and of the answer.
    pub usage: (u64, u64),
    /// What it cost, where that is known.
    pub cost: Option<f64>,
    /// When it came, in milliseconds since 1970, and how long it took.
    pub took: (i64, i64),
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAgent {
    /// What tells it from others.
    pub mark: String,
    /// Its name where its key gives one; else it is numbered.
    pub name: Option<String>,
    /// Its system message.
    pub system: String,
    /// Its tools, by name.
    pub tools: String,
}

/// An agent as it stands, with what it did.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AgentRow {
    /// Its number.
    pub id: i64,
    /// What it goes by.
    pub name: String,
    /// Its system message.
    pub system: String,
    /// Its tools, by name.
    pub tools: String,
    /// Sessions that it took part in, and its calls.
    pub sessions: u64,
    /// Its calls.
    pub calls: u64,
    /// Tokens of its prompts and of its answers.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub answer_tokens: u64,
    /// What its calls cost, where that is known.
    pub cost: Option<f64>,
}

/// A session as it stands.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SessionRow {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its calls.
    pub calls: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Tokens of prompts and answers.
    pub tokens: u64,
    /// What it was worth, as was last told.
    pub reward: Option<f64>,
    /// When it began.
    pub created_ms: i64,
}

/// A call as it stands.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CallRow {
    /// Its number.
    pub id: i64,
    /// Its session, by name.
    pub session: String,
    /// Its agent, by name.
    pub agent: String,
    /// How it stands to the calls before it.
    pub relation: Relation,
    /// The dialect it was asked in.
    pub dialect: String,
    /// The model that was asked for.
    pub model: String,
    /// Who answered.
    pub mind: String,
    /// The last message of the request.
    #[serde(skip)]
    pub asked: i64,
    /// The reply's message.
    #[serde(skip)]
    pub answered: Option<i64>,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub answer_tokens: u64,
    /// What it cost.
    pub cost: Option<f64>,
    /// Whether the tokens that were written are known with their log-probabilities, so that ratios
    /// may be taken; where not, an answer is tokenised anew and only imitated.
    pub exact: bool,
    /// When it came.
    pub began_ms: i64,
    /// How long it took.
    pub ms: i64,
}

pub(super) const CALL: &str = "SELECT c.id, s.name, a.name, c.relation, c.dialect, c.model, c.mind, c.asked, \
                    c.answered, c.prompt_tokens, c.answer_tokens, c.cost, c.tokens IS NOT NULL, \
                    c.began_ms, c.ms FROM calls c JOIN sessions s ON s.id = c.session JOIN agents \
                    a ON a.id = c.agent";

pub(super) fn call_row(row: &Row<'_>) -> rusqlite::Result<CallRow> {
    Ok(CallRow {
        id: row.get(0)?,
        session: row.get(1)?,
        agent: row.get(2)?,
        relation: super::reading::known(row, 3, Relation::from_name)?,
        dialect: row.get(4)?,
        model: row.get(5)?,
        mind: row.get(6)?,
        asked: row.get(7)?,
        answered: row.get(8)?,
        prompt_tokens: row.get::<_, i64>(9)? as u64,
        answer_tokens: row.get::<_, i64>(10)? as u64,
        cost: row.get(11)?,
        exact: row.get(12)?,
        began_ms: row.get(13)?,
        ms: row.get(14)?,
    })
}

/// The session of that name; made where it is not there.
fn session(db: &Connection, name: &str, now: i64) -> Result<i64> {
    let made = "INSERT INTO sessions (name, keyed, created_ms) VALUES (?1, 0, ?2) ON CONFLICT \
                (name) DO UPDATE SET name = name RETURNING id";
    Ok(db.prepare_cached(made)?.query_row(params![name, now], |row| row.get(0))?)
}

/// What an agent that has not called before goes by: as its key says, else the next number.
pub(super) fn next_name(db: &Connection, new: &NewAgent) -> Result<String> {
    let count: i64 = db.query_row("SELECT count(*) FROM agents", [], |row| row.get(0))?;
    let taken = |name: &str| -> rusqlite::Result<bool> {
        db.prepare_cached("SELECT 1 FROM agents WHERE name = ?1")?.exists([name])
    };
    let mut name = new.name.clone().unwrap_or_else(|| format!("agent-{}", count + 1));
    let mut further = count + 1;
    while taken(&name)? {
        further += 1;
        name = format!("{}-{further}", new.name.as_deref().unwrap_or("agent"));
    }
    Ok(name)
}

/// The agent of that mark; made where it is not there, under its name or the next number.
fn agent(db: &Connection, new: &NewAgent, now: i64) -> Result<i64> {
    let known = "SELECT id FROM agents WHERE mark = ?1";
    if let Some(id) =
        db.prepare_cached(known)?.query_row([&new.mark], |row| row.get(0)).optional()?
    {
        return Ok(id);
    }
    let name = next_name(db, new)?;
    db.execute(
        "INSERT INTO agents (mark, name, system, tools, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![new.mark, name, new.system, new.tools, now],
    )?;
    Ok(db.last_insert_rowid())
}

/// Writes a call and returns its number.
fn insert_call(db: &Connection, new: &NewCall, now: i64) -> Result<i64> {
    let session = session(db, &new.session, now)?;
    let agent = agent(db, &new.agent, now)?;
    let Placed { at, relation, variants } = placed(db, session, agent, &new.asked)?;
    let mut reply = new.reply.clone();
    let answered = match &new.answered {
        Some(said) => Some(match known_message(db, session, at, said)? {
            Some((id, body)) => {
                // The same in other words: what was sent is kept too.
                if body != said.body {
                    reply["as_sent"] = Value::String(said.body.clone());
                }
                id
            }
            None => add_message(db, session, at, said)?,
        }),
        None => None,
    };
    db.prepare_cached(
        "INSERT INTO calls (session, agent, asked, answered, relation, dialect, model, mind, \
         request, variants, reply, tokens, prompt_tokens, answer_tokens, cost, began_ms, ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        session,
        agent,
        at,
        answered,
        relation.as_str(),
        new.dialect,
        new.model,
        new.mind,
        new.request.to_string(),
        Value::Object(variants).to_string(),
        reply.to_string(),
        new.tokens.as_ref().map(Value::to_string),
        new.usage.0 as i64,
        new.usage.1 as i64,
        new.cost,
        new.took.0,
        new.took.1
    ])?;
    Ok(db.last_insert_rowid())
}

/// What is said of a session that is not there.
pub fn no_session(name: &str) -> Error {
    Error::usage(format!("there is no session `{name}`"))
        .hint("list them with: foretaste gateway sessions")
}

/// Pages that the log may have before a commit puts it in its place: 64 MiB.
const LOG_PAGES: u32 = 16_384;

impl Store {
    /// Writes some calls in one transaction; returns their numbers. When this returns they survive
    /// a killed process.
    pub fn add_calls(&mut self, calls: &[NewCall]) -> Result<Vec<i64>> {
        let tx = self.write()?;
        let now = now_ms();
        let ids = calls.iter().map(|new| insert_call(&tx, new, now)).collect::<Result<_>>()?;
        tx.commit()?;
        Ok(ids)
    }

    /// Has what this connection commits survive a killed process at once, and a machine without power
    /// a moment later: a call that waits for the disk each time takes twice as long. The log is put in
    /// its place by [`Store::settle`], or by the commit that finds it larger than any pause left it.
    pub fn hasten(&self) -> Result<()> {
        self.db.pragma_update(None, "synchronous", "normal")?;
        Ok(self.db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?)
    }

    /// Puts the log in its place, as far as nobody reads what was there before.
    pub fn settle(&self) -> Result<()> {
        Ok(self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }

    /// Makes a session whose name opens the gateway; one of that name that is there is that.
    pub fn open_session(&mut self, name: &str) -> Result<()> {
        let tx = self.write()?;
        let id = session(&tx, name, now_ms())?;
        tx.execute("UPDATE sessions SET keyed = 1 WHERE id = ?1", [id])?;
        tx.commit()
    }

    /// Has a session's name open the gateway no more.
    pub fn close_session(&mut self, name: &str) -> Result<()> {
        self.execute("UPDATE sessions SET keyed = 0 WHERE name = ?1", [name])?;
        Ok(())
    }

    /// The sessions whose names open the gateway.
    pub fn keys(&self) -> Result<Vec<String>> {
        let mut rows = self.db.prepare_cached("SELECT name FROM sessions WHERE keyed = 1")?;
        let found = rows.query_map([], |row| row.get(0))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Writes down what was told of a session, which is made where it is not there: an event, with
    /// its number if it has one. Returns the event's number.
    pub fn add_session_event(
        &mut self,
        name: &str,
        (kind, value): (&str, Option<f64>),
        body: &Value,
    ) -> Result<i64> {
        let tx = self.write()?;
        let now = now_ms();
        let id = session(&tx, name, now)?;
        let last = "SELECT coalesce(max(id), 0) FROM calls WHERE session = ?1";
        let after: i64 = tx.prepare_cached(last)?.query_row([id], |row| row.get(0))?;
        tx.execute(
            "INSERT INTO session_events (session, after, kind, value, body, created_ms) VALUES \
             (?1, ?2, ?3, ?4, ?5, ?6)",
            params![id, after, kind, value, body.to_string(), now],
        )?;
        let event = tx.last_insert_rowid();
        tx.commit()?;
        Ok(event)
    }
}
