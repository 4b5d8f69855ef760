//! Calls that agents of others made through the gateway: sessions, the agents that are told apart,
//! the messages as a tree, and what was told of a session (rewards).

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value};

use super::{Store, now_ms};
use crate::digest::hex;
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

/// The agent of that mark; made where it is not there, under its name or the next number.
fn agent(db: &Connection, new: &NewAgent, now: i64) -> Result<i64> {
    let known = "SELECT id FROM agents WHERE mark = ?1";
    if let Some(id) =
        db.prepare_cached(known)?.query_row([&new.mark], |row| row.get(0)).optional()?
    {
        return Ok(id);
    }
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
    db.execute(
        "INSERT INTO agents (mark, name, system, tools, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![new.mark, name, new.system, new.tools, now],
    )?;
    Ok(db.last_insert_rowid())
}

/// The message below another one that is this one, with its text as it stands there.
fn known_message(
    db: &Connection,
    session: i64,
    parent: i64,
    new: &NewMessage,
) -> Result<Option<(i64, String)>> {
    let known = "SELECT id, body FROM messages WHERE session = ?1 AND parent = ?2 AND digest = ?3";
    let values = params![session, parent, hex(new.digest)];
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(db.prepare_cached(known)?.query_row(values, row).optional()?)
}

fn add_message(db: &Connection, session: i64, parent: i64, new: &NewMessage) -> Result<i64> {
    db.prepare_cached(
        "INSERT INTO messages (session, parent, digest, body) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![session, parent, hex(new.digest), new.body])?;
    Ok(db.last_insert_rowid())
}

/// The reply to what was asked last, where this message is that reply in other words: some harnesses
/// tell the model of its calls in text.
fn written_anew(db: &Connection, asked: i64, new: &NewMessage) -> Result<Option<(i64, String)>> {
    let replies = "SELECT m.id, m.body FROM calls c JOIN messages m ON m.id = c.answered WHERE \
                   c.asked = ?1 ORDER BY c.id DESC LIMIT 8";
    let new: Value = serde_json::from_str(&new.body).unwrap_or_default();
    if new["role"] != "assistant" {
        return Ok(None);
    }
    let text = new["content"].as_str().map_or_else(|| new["content"].to_string(), Into::into);
    let mut rows = db.prepare_cached(replies)?;
    let found = rows.query_map([asked], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    for reply in found {
        let (id, body) = reply?;
        let reply: Value = serde_json::from_str(&body).unwrap_or_default();
        let calls = reply["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
        let is_told = |call: &Value| {
            let named = call["function"]["name"].as_str().is_some_and(|name| text.contains(name));
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            let arguments: Map<String, Value> = serde_json::from_str(arguments).unwrap_or_default();
            named
                && arguments.values().all(|value| value.as_str().is_none_or(|it| text.contains(it)))
        };
        if !calls.is_empty() && new["tool_calls"].is_null() && calls.iter().all(is_told) {
            return Ok(Some((id, body)));
        }
    }
    Ok(None)
}

fn exists(db: &Connection, sql: &str, id: i64) -> Result<bool> {
    Ok(db.prepare_cached(sql)?.exists([id])?)
}

/// Writes a call and returns its number.
fn insert_call(db: &Connection, new: &NewCall, now: i64) -> Result<i64> {
    let session = session(db, &new.session, now)?;
    let agent = agent(db, &new.agent, now)?;
    let (mut at, mut variants) = (0, Map::new());
    let (mut shared, mut spoken, mut was_new) = (0, 0, None);
    for (place, said) in new.asked.iter().enumerate() {
        let before = at;
        let known = match known_message(db, session, at, said)? {
            Some(known) => Some(known),
            None => written_anew(db, at, said)?,
        };
        match known {
            Some((id, body)) => {
                at = id;
                shared += usize::from(!said.is_system);
                if body != said.body {
                    variants.insert(place.to_string(), Value::String(said.body.clone()));
                }
            }
            None => {
                at = add_message(db, session, at, said)?;
                was_new = was_new.or(Some(before));
            }
        }
        spoken += usize::from(!said.is_system);
    }
    let replied = "SELECT 1 FROM calls WHERE answered = ?1";
    let relation = match was_new {
        None if exists(db, "SELECT 1 FROM calls WHERE asked = ?1", at)? => Relation::Again,
        _ if shared == 0 || spoken == 0 => Relation::Root,
        Some(parting) if exists(db, replied, parting)? => {
            // The reply may have been gone on with before, in another way.
            let others = "SELECT 1 FROM messages WHERE parent = ?1 LIMIT 1 OFFSET 1";
            match exists(db, others, parting)? {
                true => Relation::Forked,
                false if variants.is_empty() => Relation::Continued,
                false => Relation::Realigned,
            }
        }
        _ => Relation::Forked,
    };
    let answered = match &new.answered {
        Some(reply) => Some(match known_message(db, session, at, reply)? {
            Some((id, _)) => id,
            None => add_message(db, session, at, reply)?,
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
        new.reply.to_string(),
        new.tokens.as_ref().map(Value::to_string),
        new.usage.0 as i64,
        new.usage.1 as i64,
        new.cost,
        new.took.0,
        new.took.1
    ])?;
    Ok(db.last_insert_rowid())
}

pub(super) fn no_session(name: &str) -> Error {
    Error::usage(format!("there is no session `{name}`"))
        .hint("list them with: foretaste gateway sessions")
}

impl Store {
    /// Writes some calls in one transaction; returns their numbers. When this returns they survive
    /// any crash.
    pub fn add_calls(&mut self, calls: &[NewCall]) -> Result<Vec<i64>> {
        let tx = self.write()?;
        let now = now_ms();
        let ids = calls.iter().map(|new| insert_call(&tx, new, now)).collect::<Result<_>>()?;
        tx.commit()?;
        Ok(ids)
    }

    /// Has what this connection commits survive a killed process at once, and a machine without power
    /// a moment later: a call that waits for the disk each time takes twice as long.
    pub fn hasten(&self) -> Result<()> {
        Ok(self.db.pragma_update(None, "synchronous", "normal")?)
    }

    /// Makes a session whose name opens the gateway; one of that name that is there is that.
    pub fn open_session(&mut self, name: &str) -> Result<()> {
        let tx = self.write()?;
        let id = session(&tx, name, now_ms())?;
        tx.execute("UPDATE sessions SET keyed = 1 WHERE id = ?1", [id])?;
        tx.commit()
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
        tx.execute(
            "INSERT INTO session_events (session, kind, value, body, created_ms) VALUES (?1, ?2, \
             ?3, ?4, ?5)",
            params![id, kind, value, body.to_string(), now],
        )?;
        let event = tx.last_insert_rowid();
        tx.commit()?;
        Ok(event)
    }

    /// What was told of a session, oldest first: kind, number and body.
    pub fn session_events(&self, name: &str) -> Result<Vec<(String, Option<f64>, Value)>> {
        let mut rows = self.db.prepare_cached(
            "SELECT e.kind, e.value, e.body FROM session_events e JOIN sessions s ON s.id = \
             e.session WHERE s.name = ?1 ORDER BY e.id",
        )?;
        let found =
            rows.query_map([name], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))?;
        let rows = found.collect::<rusqlite::Result<Vec<(String, Option<f64>, String)>>>()?;
        Ok(rows
            .into_iter()
            .map(|(kind, value, body)| {
                (kind, value, serde_json::from_str(&body).unwrap_or_default())
            })
            .collect())
    }
}
