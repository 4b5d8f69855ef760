//! The file that a person's own editor gets: the text, and below a line what it is judged by.

use super::Evidence;
use crate::text::clean;

/// What stands below it is not the text's.
const SCISSORS: &str = "# ------------------------ >8 ------------------------";

/// A text with what it is judged by as comments at its end.
pub fn sheet(text: &str, evidence: Option<&Evidence>) -> String {
    let mut lines = vec![
        "The text stands above this line; below it, lines like these are left out.".to_string(),
        "Saved, it is a new version, pending: rules are held against it, a approves it.".into(),
    ];
    if let Some((evidence, case)) = evidence.and_then(|all| Some((all, all.case.as_ref()?))) {
        lines.extend([String::new(), format!("Task ({})", evidence.kind)]);
        lines.push(case.state.task.clone());
        lines.extend([String::new(), "State".into(), case.state.observation.clone()]);
        for (action, observation) in &case.state.history {
            lines.extend([format!("> {action}"), observation.clone()]);
        }
        lines.extend([String::new(), format!("Expert's action, by {}", evidence.sources.0)]);
        lines.extend([format!("> {}", case.action), case.outcome.clone()]);
        lines.extend([String::new(), "Executed alternatives".into()]);
        for branch in &case.alternatives {
            lines.push(format!("> {} ({})", branch.action, branch.effect.as_str()));
            lines.push(branch.observation.clone());
        }
    }
    // Observations have lines of their own, and control characters that no editor should obey.
    let commented = lines.iter().flat_map(|line| {
        let line = clean(line);
        let each: Vec<String> =
            line.split('\n').map(|part| format!("# {part}").trim_end().to_string()).collect();
        each
    });
    let comments: Vec<String> = commented.collect();
    format!("{}\n\n{SCISSORS}\n{}\n", text.trim_end(), comments.join("\n"))
}

/// The text of such a file: all above the line, and what somebody wrote below it that is no
/// comment. Where the line is gone, comments at the end are no text either.
pub fn text_of(file: &str) -> String {
    let lines: Vec<&str> = file.lines().collect();
    let comment = |line: &&&str| line.starts_with('#') || line.trim().is_empty();
    let end = lines.iter().position(|line| line.trim_end() == SCISSORS);
    let end = end.unwrap_or_else(|| lines.len() - lines.iter().rev().take_while(comment).count());
    let (above, below) = lines.split_at(end);
    let below = below.iter().copied().filter(|line| !line.starts_with('#'));
    let parts = [above.join("\n"), below.collect::<Vec<_>>().join("\n")];
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[path = "sheet_tests.rs"]
mod tests;
