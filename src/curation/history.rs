//! The history of one reflection, as lines to be read.

use crate::store::Event;

/// What happened to a reflection, a line each, the oldest first.
pub fn history(events: &[Event]) -> Vec<String> {
    events.iter().map(line).collect()
}

fn line(event: &Event) -> String {
    let Event { when, act, by, version, verdict, reason, note, undone, .. } = event;
    let what = match (act.as_str(), verdict) {
        ("written", _) => format!("version {version} written by {by}"),
        ("note", _) => format!("a note by {by}"),
        ("flag" | "unflag", _) => format!("{act} by {by}"),
        (act, Some(verdict)) if act.starts_with("second ") => {
            format!("{act} by {by}, of version {version}, which stood as {verdict}")
        }
        (act, verdict) => {
            let verdict = verdict.as_deref().unwrap_or_default();
            let because = reason.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            format!("{act} by {by}: version {version} is {verdict}{because}")
        }
    };
    let said = note.as_ref().map(|words| format!(" · “{words}”")).unwrap_or_default();
    let back = if *undone { " · taken back" } else { "" };
    format!("{when}  {what}{said}{back}")
}
