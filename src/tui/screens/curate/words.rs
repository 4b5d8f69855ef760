//! Curate in words: who wrote what is shown, who decided on it, and when.

use super::deciding::PERSON;
use crate::experience::{RATIONALE, Reflection, Verdict};
use crate::text::clean;

/// A generator by name; of a model, which one.
pub fn author_word(author: &str) -> String {
    match author.strip_prefix(RATIONALE) {
        Some(model) => format!("model {} (rationale)", clean(model)),
        None => clean(author),
    }
}

/// Who wrote the version that is shown: "v2 of 3 by you · from template".
pub fn provenance(item: &Reflection) -> String {
    let generator = author_word(&item.generator);
    // A second opinion is not to know whether the text was edited.
    if item.author.is_empty() {
        return format!("from {generator}");
    }
    let author = author_word(&item.author);
    let version = if item.written > 1 {
        format!("v{} of {} ", item.version, item.written)
    } else {
        String::new()
    };
    let from = if author == generator { String::new() } else { format!(" · from {generator}") };
    format!("{version}by {author}{from}")
}

/// How it stands, by whom, and since when; an edit that does not count yet says what makes it.
pub fn standing(item: &Reflection, now_ms: i64) -> String {
    let reason = item.reason.as_deref().map(|code| format!(": {code}")).unwrap_or_default();
    let by = item.decided_by.as_deref().map(|by| format!(" · by {by}")).unwrap_or_default();
    let when = item.decided_ms.map(|ms| format!(", {}", ago(ms, now_ms))).unwrap_or_default();
    if item.verdict != Verdict::Pending {
        return format!("{}{reason}{by}{when}", item.verdict.as_str());
    }
    if item.author == PERSON {
        format!("pending: your edit{when} · a approves it")
    } else if item.decided_ms.is_some() {
        format!("pending again{by}{when}")
    } else {
        "pending".to_string()
    }
}

/// How long ago, for prose.
pub fn ago(ms: i64, now_ms: i64) -> String {
    match age(ms, now_ms).as_str() {
        "now" => "just now".to_string(),
        age => format!("{age} ago"),
    }
}

/// How long ago, for a column.
pub fn age(ms: i64, now_ms: i64) -> String {
    let minutes = now_ms.saturating_sub(ms).max(0) / 60_000;
    match minutes {
        0 => "now".to_string(),
        1..60 => format!("{minutes}m"),
        60..1440 => format!("{}h", minutes / 60),
        1440..525_600 => format!("{}d", minutes / 1440),
        _ => format!("{}y", minutes / 525_600),
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
