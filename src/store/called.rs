//! Reading what agents of others asked through the gateway.

use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::calls::{AgentRow, CALL, CallRow, SessionRow, call_row, no_session};
use super::trajectories::insert_trajectory;
use super::{Store, now_ms};
use crate::error::{Error, Result};
use crate::experience::Trajectory;

/// Which calls are looked at.
#[derive(Debug, Clone, Default)]
pub struct Called {
    /// Of this session, by name.
    pub session: Option<String>,
    /// Of this agent, by name or number.
    pub agent: Option<String>,
    /// In whose last message or reply this stands.
    pub search: Option<String>,
    /// Newer than this one.
    pub after: i64,
}

/// A call with all that was said.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct WholeCall {
    /// The call.
    #[serde(flatten)]
    pub row: CallRow,
    /// What was said before the reply, as the agent wrote it, in the form of chat completions.
    pub messages: Vec<Value>,
    /// The reply; none where the call failed.
    pub answer: Option<Value>,
    /// The request without its messages.
    pub request: Value,
    /// How the reply ended; of a failure, why.
    pub reply: Value,
    /// The tokens that were written and their log-probabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Value>,
}

/// What a mind would have said in place of a reply.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CallAlternative {
    /// Who.
    pub mind: String,
    /// By which seed.
    pub seed: u64,
    /// The message.
    pub message: Value,
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// A pattern of `LIKE` that finds a text anywhere.
fn anywhere(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

impl Store {
    /// The agents, in the order in which they were first seen.
    pub fn agents(&self) -> Result<Vec<AgentRow>> {
        let mut rows = self.db.prepare_cached(
            "SELECT a.id, a.name, a.system, a.tools, count(DISTINCT c.session), count(c.id), \
             coalesce(sum(c.prompt_tokens), 0), coalesce(sum(c.answer_tokens), 0), sum(c.cost) FROM \
             agents a LEFT JOIN calls c ON c.agent = a.id GROUP BY a.id ORDER BY a.id",
        )?;
        let found = rows.query_map([], |row| {
            Ok(AgentRow {
                id: row.get(0)?,
                name: row.get(1)?,
                system: row.get(2)?,
                tools: row.get(3)?,
                sessions: row.get::<_, i64>(4)? as u64,
                calls: row.get::<_, i64>(5)? as u64,
                prompt_tokens: row.get::<_, i64>(6)? as u64,
                answer_tokens: row.get::<_, i64>(7)? as u64,
                cost: row.get(8)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// The agent of that name or number.
    pub fn called_agent(&self, name: &str) -> Result<AgentRow> {
        let all = self.agents()?;
        let known: Vec<&str> = all.iter().map(|agent| agent.name.as_str()).collect();
        let list = if known.is_empty() {
            "no agent has called yet; start with: foretaste gateway".to_string()
        } else {
            format!("there are {}", known.join(", "))
        };
        let of = |agent: &AgentRow| agent.name == name || agent.id.to_string() == name;
        all.into_iter()
            .find(of)
            .ok_or_else(|| Error::usage(format!("there is no agent `{name}`")).hint(list))
    }

    /// What the agent of that mark goes by, if it has called before.
    pub fn agent_named(&self, mark: &str) -> Result<Option<String>> {
        let ask = "SELECT name FROM agents WHERE mark = ?1";
        Ok(self.db.prepare_cached(ask)?.query_row([mark], |row| row.get(0)).optional()?)
    }

    /// Gives an agent another name.
    pub fn name_agent(&mut self, agent: i64, name: &str) -> Result<()> {
        let taken = "SELECT 1 FROM agents WHERE name = ?1 AND id <> ?2";
        if self.db.prepare_cached(taken)?.exists(params![name, agent])? {
            return Err(Error::usage(format!("another agent is called {name}")));
        }
        self.execute("UPDATE agents SET name = ?2 WHERE id = ?1", params![agent, name])?;
        Ok(())
    }

    /// The sessions, newest first.
    pub fn sessions(&self) -> Result<Vec<SessionRow>> {
        let mut rows = self.db.prepare_cached(
            "SELECT s.id, s.name, count(c.id), count(c.id) - count(c.answered), \
             coalesce(sum(c.prompt_tokens + c.answer_tokens), 0), (SELECT value FROM session_events \
             e WHERE e.session = s.id AND e.kind = 'reward' ORDER BY e.id DESC LIMIT 1), \
             s.created_ms FROM sessions s LEFT JOIN calls c ON c.session = s.id GROUP BY s.id ORDER \
             BY s.id DESC",
        )?;
        let found = rows.query_map([], |row| {
            Ok(SessionRow {
                id: row.get(0)?,
                name: row.get(1)?,
                calls: row.get::<_, i64>(2)? as u64,
                failed: row.get::<_, i64>(3)? as u64,
                tokens: row.get::<_, i64>(4)? as u64,
                reward: row.get(5)?,
                created_ms: row.get(6)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether there is a session of that name.
    pub fn has_session(&self, name: &str) -> Result<bool> {
        Ok(self.db.prepare_cached("SELECT 1 FROM sessions WHERE name = ?1")?.exists([name])?)
    }

    /// Some calls, oldest first.
    pub fn calls(&self, which: &Called) -> Result<Vec<CallRow>> {
        if let Some(name) = &which.session
            && !self.has_session(name)?
        {
            return Err(no_session(name));
        }
        let agent = match &which.agent {
            Some(name) => Some(self.called_agent(name)?.id),
            None => None,
        };
        let ask = format!(
            "{CALL} LEFT JOIN messages q ON q.id = c.asked LEFT JOIN messages r ON r.id = \
             c.answered WHERE c.id > ?1 AND (?2 IS NULL OR s.name = ?2) AND (?3 IS NULL OR c.agent \
             = ?3) AND (?4 IS NULL OR q.body LIKE ?4 ESCAPE '\\' OR r.body LIKE ?4 ESCAPE '\\') \
             ORDER BY c.id"
        );
        let search = which.search.as_deref().map(anywhere);
        let mut rows = self.db.prepare_cached(&ask)?;
        let found = rows.query_map(params![which.after, which.session, agent, search], call_row)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// A message and all before it, oldest first: number and body.
    pub fn said_until(&self, last: i64) -> Result<Vec<(i64, String)>> {
        let mut rows = self.db.prepare_cached(
            "WITH RECURSIVE up (id, parent, body) AS (SELECT id, parent, body FROM messages WHERE \
             id = ?1 UNION ALL SELECT m.id, m.parent, m.body FROM messages m JOIN up ON m.id = \
             up.parent) SELECT id, body FROM up",
        )?;
        let found = rows.query_map([last], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut said = found.collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
        said.reverse();
        Ok(said)
    }

    /// The last message that a mind was told, what it answered or why it did not, and how many other
    /// answers are known.
    pub fn call_lines(&self, row: &CallRow) -> Result<(String, Result<String, String>, usize)> {
        let body = |id: i64| -> rusqlite::Result<String> {
            self.db
                .prepare_cached("SELECT body FROM messages WHERE id = ?1")?
                .query_row([id], |row| row.get(0))
        };
        let said = match row.answered {
            Some(said) => Ok(body(said)?),
            None => {
                let ask = "SELECT reply FROM calls WHERE id = ?1";
                let reply: String =
                    self.db.prepare_cached(ask)?.query_row([row.id], |row| row.get(0))?;
                Err(parsed(&reply)["error"].as_str().unwrap_or_default().to_string())
            }
        };
        let ask = "SELECT count(*) FROM call_alternatives WHERE call = ?1";
        let others: i64 = self.db.prepare_cached(ask)?.query_row([row.id], |row| row.get(0))?;
        Ok((body(row.asked)?, said, others as usize))
    }

    /// A call with all that was said.
    pub fn call(&self, id: i64) -> Result<WholeCall> {
        let ask = format!("{CALL} WHERE c.id = ?1");
        let row = self.db.prepare_cached(&ask)?.query_row([id], call_row).optional()?;
        let row = row.ok_or_else(|| {
            Error::usage(format!("there is no call {id}"))
                .hint("list them with: foretaste gateway calls")
        })?;
        let (request, variants, reply, tokens): (String, String, String, Option<String>) =
            self.db.query_row(
                "SELECT request, variants, reply, tokens FROM calls WHERE id = ?1",
                [id],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )?;
        let variants = parsed(&variants);
        let messages = self.said_until(row.asked)?;
        let messages = messages.into_iter().enumerate().map(|(place, (_, body))| {
            parsed(variants[place.to_string()].as_str().unwrap_or(&body))
        });
        let messages = messages.collect();
        let answer = match row.answered {
            Some(said) => self
                .db
                .query_row("SELECT body FROM messages WHERE id = ?1", [said], |row| {
                    row.get::<_, String>(0)
                })
                .map(|body| Some(parsed(&body)))?,
            None => None,
        };
        Ok(WholeCall {
            row,
            messages,
            answer,
            request: parsed(&request),
            reply: parsed(&reply),
            tokens: tokens.as_deref().map(parsed),
        })
    }

    /// Whether a call's conversation is a demonstration.
    pub fn is_call_taken(&self, call: i64) -> Result<bool> {
        Ok(self.db.prepare_cached("SELECT 1 FROM calls_taken WHERE call = ?1")?.exists([call])?)
    }

    /// Makes a demonstration of a call's conversation; returns the trajectory's number.
    pub fn take_call(&mut self, call: i64, trajectory: &Trajectory) -> Result<i64> {
        let tx = self.write()?;
        let id = insert_trajectory(&tx, trajectory, now_ms())?;
        tx.execute("INSERT INTO calls_taken (call, trajectory) VALUES (?1, ?2)", [call, id])?;
        tx.commit()?;
        Ok(id)
    }

    /// Keeps what a mind would have said in place of a reply; the same words once.
    pub fn add_call_alternatives(&mut self, call: i64, all: &[CallAlternative]) -> Result<()> {
        let tx = self.write()?;
        for CallAlternative { mind, seed, message } in all {
            tx.prepare_cached(
                "INSERT INTO call_alternatives (call, mind, seed, body, created_ms) VALUES (?1, \
                 ?2, ?3, ?4, ?5) ON CONFLICT (call, body) DO NOTHING",
            )?
            .execute(params![
                call,
                mind,
                *seed as i64,
                message.to_string(),
                now_ms()
            ])?;
        }
        tx.commit()
    }

    /// What minds would have said in place of a reply.
    pub fn call_alternatives(&self, call: i64) -> Result<Vec<CallAlternative>> {
        let mut rows = self.db.prepare_cached(
            "SELECT mind, seed, body FROM call_alternatives WHERE call = ?1 ORDER BY id",
        )?;
        let found = rows.query_map([call], |row| {
            Ok(CallAlternative {
                mind: row.get(0)?,
                seed: row.get::<_, i64>(1)? as u64,
                message: parsed(&row.get::<_, String>(2)?),
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
