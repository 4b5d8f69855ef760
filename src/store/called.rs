//! Reading what agents of others asked through the gateway.

use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::calls::{
    AgentRow, CALL, CallRow, NewAgent, SessionRow, call_row, next_name, no_session,
};
use super::conversation::TOLD;
use super::trajectories::insert_trajectory;
use super::{Store, now_ms};
use crate::error::{Error, Result};
use crate::experience::Trajectory;

/// Which calls are looked at.
#[derive(Debug, Clone, Default)]
pub struct Called {
    /// Of this session, by name.
    pub session: Option<String>,
    /// Of this agent, by its number.
    pub agent: Option<i64>,
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

impl WholeCall {
    /// All that was said, the reply at its end.
    pub fn said(&self) -> Vec<Value> {
        self.messages.iter().chain(&self.answer).cloned().collect()
    }

    /// The tools that might be called.
    pub fn tools(&self) -> &[Value] {
        self.request["tools"].as_array().map_or(&[], Vec::as_slice)
    }
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

/// What was told of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionEvent {
    /// The last call that it had made then; 0 before the first.
    pub after: i64,
    /// [`super::REWARD`], or what else.
    pub kind: String,
    /// Its number, where it has one.
    pub value: Option<f64>,
    /// As it was told.
    pub body: Value,
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// A pattern of `LIKE` that finds a text anywhere in a message, which is kept as JSON.
fn anywhere(text: &str) -> String {
    let text = Value::from(text).to_string();
    let text = &text[1..text.len() - 1];
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

    /// The agent of that number.
    pub fn agent(&self, id: i64) -> Result<AgentRow> {
        let gone = || Error::usage(format!("there is no agent {id}"));
        self.agents()?.into_iter().find(|agent| agent.id == id).ok_or_else(gone)
    }

    /// The agent of that name; where none is called so, of that number.
    pub fn called_agent(&self, name: &str) -> Result<AgentRow> {
        let all = self.agents()?;
        let known: Vec<&str> = all.iter().map(|agent| agent.name.as_str()).collect();
        let list = if known.is_empty() {
            "no agent has called yet; start with: foretaste gateway".to_string()
        } else {
            format!("there are {}", known.join(", "))
        };
        let named = all.iter().position(|agent| agent.name == name);
        let found = named.or_else(|| all.iter().position(|agent| agent.id.to_string() == name));
        let gone = || Error::usage(format!("there is no agent `{name}`")).hint(list);
        found.and_then(|at| all.into_iter().nth(at)).ok_or_else(gone)
    }

    /// What an agent goes by, or will when its first call is written down.
    pub fn agent_goes_by(&self, new: &NewAgent) -> Result<String> {
        let ask = "SELECT name FROM agents WHERE mark = ?1";
        let known =
            self.db.prepare_cached(ask)?.query_row([&new.mark], |row| row.get(0)).optional()?;
        known.map_or_else(|| next_name(&self.db, new), Ok)
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

    /// Of the sessions whose names begin so the one that was called in last.
    pub fn newest_session(&self, prefix: &str) -> Result<Option<String>> {
        let ask = "SELECT s.name FROM sessions s LEFT JOIN calls c ON c.session = s.id WHERE s.name >= \
                   ?1 AND s.name < ?1 || '~' GROUP BY s.id ORDER BY coalesce(max(c.id), 0) DESC, \
                   s.name DESC LIMIT 1";
        Ok(self.db.prepare_cached(ask)?.query_row([prefix], |row| row.get(0)).optional()?)
    }

    /// The newest call; 0 where there is none.
    pub fn last_call(&self) -> Result<i64> {
        let ask = "SELECT coalesce(max(id), 0) FROM calls";
        Ok(self.db.prepare_cached(ask)?.query_row([], |row| row.get(0))?)
    }

    /// Sessions whose names begin so, by name.
    pub fn sessions_from(&self, prefix: &str) -> Result<Vec<String>> {
        // No sign of a name comes after the last one that is compared with: the index is gone through.
        let ask = "SELECT name FROM sessions WHERE name >= ?1 AND name < ?1 || '~' ORDER BY name";
        let mut rows = self.db.prepare_cached(ask)?;
        let found = rows.query_map([prefix], |row| row.get(0))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Some calls, oldest first.
    pub fn calls(&self, which: &Called) -> Result<Vec<CallRow>> {
        if let Some(name) = &which.session
            && !self.has_session(name)?
        {
            return Err(no_session(name));
        }
        let ask = format!(
            "{CALL} LEFT JOIN messages q ON q.id = c.asked LEFT JOIN messages r ON r.id = \
             c.answered WHERE c.id > ?1 AND (?2 IS NULL OR s.name = ?2) AND (?3 IS NULL OR c.agent \
             = ?3) AND (?4 IS NULL OR q.body LIKE ?4 ESCAPE '\\' OR r.body LIKE ?4 ESCAPE '\\') \
             ORDER BY c.id"
        );
        let search = which.search.as_deref().map(anywhere);
        let mut rows = self.db.prepare_cached(&ask)?;
        let found =
            rows.query_map(params![which.after, which.session, which.agent, search], call_row)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// What was told of a session, oldest first.
    pub fn session_events(&self, name: &str) -> Result<Vec<SessionEvent>> {
        let mut rows = self.db.prepare_cached(
            "SELECT e.after, e.kind, e.value, e.body FROM session_events e JOIN sessions s ON s.id = \
             e.session WHERE s.name = ?1 ORDER BY e.id",
        )?;
        let found = rows.query_map([name], |row| {
            Ok(SessionEvent {
                after: row.get(0)?,
                kind: row.get(1)?,
                value: row.get(2)?,
                body: parsed(&row.get::<_, String>(3)?),
            })
        })?;
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
        let said = if let Some(said) = row.answered {
            Ok(body(said)?)
        } else {
            let ask = "SELECT reply FROM calls WHERE id = ?1";
            let reply: String =
                self.db.prepare_cached(ask)?.query_row([row.id], |row| row.get(0))?;
            Err(parsed(&reply)["error"].as_str().unwrap_or_default().to_string())
        };
        let ask = "SELECT count(*) FROM call_alternatives WHERE call = ?1";
        let others: i64 = self.db.prepare_cached(ask)?.query_row([row.id], |row| row.get(0))?;
        Ok((body(row.asked)?, said, others as usize))
    }

    /// The messages of a call as its agent wrote them: what the system says in its places, the others
    /// as they stand in the tree or as they were written otherwise.
    fn as_written(&self, row: &CallRow, variants: &Value) -> Result<Vec<Value>> {
        let mut told = std::collections::BTreeMap::new();
        for one in variants[TOLD].as_array().into_iter().flatten() {
            let (Some(place), Some(id)) = (one[0].as_u64(), one[1].as_i64()) else { continue };
            let ask = "SELECT body FROM messages WHERE id = ?1";
            let body: Option<String> =
                self.db.prepare_cached(ask)?.query_row([id], |row| row.get(0)).optional()?;
            told.insert(place, body.unwrap_or_default());
        }
        let mut chain = self.said_until(row.asked)?.into_iter().map(|(_, body)| body);
        let mut messages = Vec::new();
        for place in 0.. {
            let Some(body) = told.remove(&place).or_else(|| chain.next()) else { break };
            messages.push(parsed(variants[place.to_string()].as_str().unwrap_or(&body)));
        }
        Ok(messages)
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
        let messages = self.as_written(&row, &variants)?;
        let answer = match row.answered {
            Some(said) => self
                .db
                .query_row("SELECT body FROM messages WHERE id = ?1", [said], |row| {
                    row.get::<_, String>(0)
                })
                .map(|body| Some(parsed(&body)))?,
            None => None,
        };
        let reply = parsed(&reply);
        // The same answer may have come in other words before.
        let answer = answer.map(|answer| match &reply["as_sent"] {
            Value::String(sent) => parsed(sent),
            _ => answer,
        });
        Ok(WholeCall {
            row,
            messages,
            answer,
            request: parsed(&request),
            reply,
            tokens: tokens.as_deref().map(parsed),
        })
    }

    /// Whether a call's conversation is a demonstration.
    pub fn is_call_taken(&self, call: i64) -> Result<bool> {
        Ok(self.db.prepare_cached("SELECT 1 FROM calls_taken WHERE call = ?1")?.exists([call])?)
    }

    /// Takes the demonstration of a call's conversation back, if it is one; whether it was.
    pub fn withdraw_call(&mut self, call: i64) -> Result<bool> {
        let tx = self.write()?;
        let gone = tx.execute(
            "UPDATE trajectories SET deleted = 1 WHERE id = (SELECT trajectory FROM calls_taken \
             WHERE call = ?1)",
            [call],
        )?;
        tx.execute("DELETE FROM calls_taken WHERE call = ?1", [call])?;
        tx.commit()?;
        Ok(gone > 0)
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
