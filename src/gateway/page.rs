//! A call as a page: what was said before it, what was answered, and what else would have been.

use super::said::{line, told};
use crate::error::Result;
use crate::store::{CallAlternative, CallRow, Preference, Store};
use crate::text::counted;

/// A call with all that was said, as a title and lines.
pub fn page(store: &Store, call: i64) -> Result<(String, Vec<String>)> {
    let whole = store.call(call)?;
    let row = &whole.row;
    let title = format!("call {call} · {} · {} · {}", row.session, row.agent, row.mind);
    let mut lines = Vec::new();
    if let Some(answer) = &whole.answer {
        say(&mut lines, "answered", &told(answer), usize::MAX);
    } else {
        let why = whole.reply["error"].as_str().unwrap_or_default();
        say(&mut lines, "FAILED", why, usize::MAX);
    }
    let others = store.call_alternatives(call)?;
    if !others.is_empty() {
        lines.push(
            "UNEXECUTED: what else would have been said; nobody knows what it leads to".into(),
        );
    }
    let standing = store.preferences(call)?;
    for (n, one) in others.iter().enumerate().map(|(i, one)| (i + 1, one)) {
        lines.push(format!("  {n} {}{}", other(one), preferred(&standing, n)));
    }
    lines.extend([String::new(), "said before:".into()]);
    for message in &whole.messages {
        let role = message["role"].as_str().unwrap_or_default();
        let most = if role == "system" { SYSTEM } else { usize::MAX };
        say(&mut lines, role, &told(message), most);
    }
    Ok((title, lines))
}

/// What a person thinks of another answer beside the one that was given (0).
fn preferred(standing: &[Preference], answer: usize) -> String {
    let than = |one: &Preference| match (one.better, one.worse) {
        (better, 0) if better == answer => Some("better than what was said".to_string()),
        (0, worse) if worse == answer => Some("worse than what was said".to_string()),
        (better, worse) if better == answer => Some(format!("better than {worse}")),
        _ => None,
    };
    let said: Vec<String> = standing.iter().filter_map(than).collect();
    if said.is_empty() { String::new() } else { format!(" · {}", said.join(", ")) }
}

/// What else would have been said, in a line.
pub fn other(other: &CallAlternative) -> String {
    format!("{} ({}, seed {})", line(&other.message), other.mind, other.seed)
}

/// What a mind was told last, and what it answered or why it did not, a line each; and how many other
/// answers are known.
pub fn lines(store: &Store, row: &CallRow) -> Result<(String, String, usize)> {
    let (asked, said, others) = store.call_lines(row)?;
    let read = |body: &str| line(&serde_json::from_str(body).unwrap_or_default());
    Ok((read(&asked), said.map_or_else(|why| format!("FAILED {why}"), |body| read(&body)), others))
}

/// Lines of a system message that are shown: the same ones stand before every call.
const SYSTEM: usize = 6;

fn say(lines: &mut Vec<String>, who: &str, text: &str, most: usize) {
    let all: Vec<&str> = text.lines().collect();
    for (i, line) in all.iter().take(most).enumerate() {
        lines.push(if i == 0 { format!("{who}: {line}") } else { format!("  {line}") });
    }
    if all.is_empty() {
        lines.push(format!("{who}:"));
    }
    if all.len() > most {
        lines.push(format!(
            "  … {} (foretaste gateway show --json)",
            counted((all.len() - most) as u64, "more line")
        ));
    }
}
