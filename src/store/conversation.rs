//! A session's conversations as trees: where the messages of a call stand, and how it stands to the
//! calls before it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::calls::{NewMessage, Relation};
use crate::digest::hex;
use crate::error::Result;

/// Where the messages of a call stand.
pub(super) struct Placed {
    /// The last of them.
    pub at: i64,
    /// How the call stands to those before it.
    pub relation: Relation,
    /// What has to be known beside the tree to say them as they came: messages that are written otherwise
    /// there, by their place, and under [`TOLD`] what the system says, by place and number.
    pub variants: Map<String, Value>,
}

/// Where in the variants of a call stands what the system says.
pub(super) const TOLD: &str = "told";

/// Puts the messages of a call into its agent's tree. What the system says may be another thing at every
/// call (the time, what is remembered): a conversation is what is said after it, and stands apart from it.
pub(super) fn placed(
    db: &Connection,
    session: i64,
    agent: i64,
    asked: &[NewMessage],
) -> Result<Placed> {
    // Below no message: each agent has a tree of its own.
    let root = -agent;
    let (mut at, mut variants, mut told) = (root, Map::new(), Vec::new());
    let (mut shared, mut was_new) = (0, None);
    let only_told = asked.iter().all(|said| said.is_system);
    for (place, said) in asked.iter().enumerate() {
        if said.is_system && !only_told {
            let id = match known_message(db, session, root, said)? {
                Some((id, body)) if body == said.body => id,
                Some(_) => {
                    variants.insert(place.to_string(), Value::String(said.body.clone()));
                    0
                }
                None => add_message(db, session, root, said)?,
            };
            told.push(json!([place, id]));
            continue;
        }
        let known = match known_message(db, session, at, said)? {
            Some(known) => Some(known),
            None => written_anew(db, at, said)?,
        };
        if let Some((id, body)) = known {
            at = id;
            shared += 1;
            if body != said.body {
                variants.insert(place.to_string(), Value::String(said.body.clone()));
            }
        } else {
            let before = at;
            at = add_message(db, session, at, said)?;
            was_new = was_new.or(Some(before));
        }
    }
    let relation = relation(db, (at, was_new), shared, variants.is_empty())?;
    if !told.is_empty() {
        variants.insert(TOLD.into(), Value::Array(told));
    }
    Ok(Placed { at, relation, variants })
}

/// How a call stands to those before it: `was_new` is what stands before its first new message.
fn relation(
    db: &Connection,
    (at, was_new): (i64, Option<i64>),
    shared: usize,
    as_written: bool,
) -> Result<Relation> {
    let replied = "SELECT 1 FROM calls WHERE answered = ?1";
    Ok(match was_new {
        None if exists(db, "SELECT 1 FROM calls WHERE asked = ?1", at)? => Relation::Again,
        _ if shared == 0 => Relation::Root,
        Some(parting) if exists(db, replied, parting)? => {
            // The reply may have been gone on with before, in another way.
            let others = "SELECT 1 FROM messages WHERE parent = ?1 LIMIT 1 OFFSET 1";
            match exists(db, others, parting)? {
                true => Relation::Forked,
                false if as_written => Relation::Continued,
                false => Relation::Realigned,
            }
        }
        _ => Relation::Forked,
    })
}

/// The message below another one that is this one, with its text as it stands there.
pub(super) fn known_message(
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

pub(super) fn add_message(
    db: &Connection,
    session: i64,
    parent: i64,
    new: &NewMessage,
) -> Result<i64> {
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
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            let arguments: Map<String, Value> = serde_json::from_str(arguments).unwrap_or_default();
            let mut texts = arguments.values().filter_map(Value::as_str).peekable();
            call["function"]["name"].as_str().is_some_and(|name| is_quoted(&text, name))
                && texts.peek().is_some()
                && texts.all(|argument| is_quoted(&text, argument))
        };
        if !calls.is_empty() && new["tool_calls"].is_null() && calls.iter().all(is_told) {
            return Ok(Some((id, body)));
        }
    }
    Ok(None)
}

/// Whether a word stands in a text between quotation marks or brackets, or by itself in a line.
fn is_quoted(text: &str, word: &str) -> bool {
    let bound = |c: Option<char>| c.is_none_or(|c| "'\"`()[]{}:,\n".contains(c));
    let apart = |(at, _): (usize, &str)| {
        let before = text[..at].trim_end_matches(' ').chars().next_back();
        let after = text[at + word.len()..].trim_start_matches(' ').chars().next();
        bound(before) && bound(after)
    };
    !word.is_empty() && text.match_indices(word).any(apart)
}

fn exists(db: &Connection, sql: &str, id: i64) -> Result<bool> {
    Ok(db.prepare_cached(sql)?.exists([id])?)
}
