//! How a model is asked for a reflection: a profile is a text with slots, which a person may write
//! anew (`method.md` 2.1 to 2.3; paper, section 4.3).

use std::path::Path;

use crate::agent::Case;
use crate::agent::prompt::chat::{Message, Role};
use crate::agent::prompt::{first_observation, told};
use crate::digest::versioned;
use crate::error::{Error, Result};
use crate::paths;
use crate::text::is_name;

/// Profiles in the program. The first is asked unless another is named: it keeps what was only
/// seen by trying out of the text.
const BUILT_IN: [(&str, &str); 2] = [
    ("leak-safe", include_str!("../../../assets/profiles/leak-safe.txt")),
    ("paper-faithful", include_str!("../../../assets/profiles/paper-faithful.txt")),
];

/// What a profile's text may ask for.
const SLOTS: [&str; 8] =
    ["task", "history", "now", "admissible", "taken", "others", "outcome", "outcomes"];

/// A profile's file has at most so many bytes.
const LONGEST: u64 = 64 << 10;

/// How reflections are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    name: String,
    text: String,
}

impl Default for Profile {
    fn default() -> Self {
        let (name, text) = BUILT_IN[0];
        Self { name: name.into(), text: text.into() }
    }
}

impl Profile {
    /// The profile of that name: a person's own in `profiles/NAME.txt` of the data directory goes
    /// before one of the program.
    pub fn named(root: &Path, name: &str) -> Result<Self> {
        let known = || {
            let names = BUILT_IN.map(|(name, _)| name).join(", ");
            format!(
                "profiles: {names}, or one of your own in profiles/NAME.txt of the data directory"
            )
        };
        if !is_name(name) {
            return Err(Error::usage(format!("`{name}` is no name of a profile")).hint(known()));
        }
        let path = root.join("profiles").join(format!("{name}.txt"));
        let text = match paths::read_text(&path, LONGEST) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let found = BUILT_IN.iter().find(|(known, _)| *known == name);
                let text = found.map(|(_, text)| (*text).to_string());
                text.ok_or_else(|| Error::usage(format!("no profile `{name}`")).hint(known()))?
            }
            Err(e) => return Err(Error::io("reading", &path, &e)),
        };
        let profile = Self { name: name.into(), text };
        profile.check().map_err(|error| error.at(format!("profile {name}")))?;
        Ok(profile)
    }

    /// Every slot is known, and the action and what it is held against are among them.
    fn check(&self) -> Result<()> {
        let mut seen = Vec::new();
        for part in self.text.split('{').skip(1) {
            let Some((slot, _)) = part.split_once('}') else { continue };
            if !slot.is_empty() && slot.chars().all(|c| c.is_ascii_lowercase()) {
                if !SLOTS.contains(&slot) {
                    return Err(Error::usage(format!("there is no slot {{{slot}}}"))
                        .hint(format!("slots: {}", SLOTS.join(", "))));
                }
                seen.push(slot);
            }
        }
        for needed in ["now", "taken", "outcomes"] {
            if !seen.contains(&needed) {
                return Err(Error::usage(format!("the slot {{{needed}}} is missing")));
            }
        }
        Ok(())
    }

    /// Its name, with what tells one version of its text from another.
    pub fn name(&self) -> String {
        versioned(&self.name, [self.text.as_str()])
    }

    /// What a model is given about a case.
    pub fn messages(&self, case: &Case) -> Vec<Message> {
        let state = &case.state;
        let history: Vec<String> = state
            .history
            .iter()
            .map(|(action, observation)| format!("> {action}\n{}", told(observation)))
            .collect();
        let first = first_observation(&state.observation, &state.task);
        let (now, before) = match history.split_last() {
            None => (first, "Nothing yet.".to_string()),
            Some((last, earlier)) => {
                let before = [std::slice::from_ref(&first), earlier].concat();
                (last.clone(), before.join("\n"))
            }
        };
        let others: Vec<&str> =
            case.alternatives.iter().map(|other| other.action.as_str()).collect();
        let mut outcomes: Vec<String> = case
            .alternatives
            .iter()
            .map(|other| format!("{} → {}", other.action, told(&other.observation)))
            .collect();
        let outcome = told(&case.outcome);
        // Where the outcome of the action taken has no place of its own, it is among the others.
        if !self.text.contains("{outcome}") {
            outcomes.insert(0, format!("{} → {outcome}", case.action));
        }
        let slots = [
            ("task", state.task.trim().to_string()),
            ("history", before),
            ("now", now),
            ("admissible", case.admissible.join("; ")),
            ("taken", case.action.clone()),
            ("others", others.join("; ")),
            ("outcome", outcome.to_string()),
            ("outcomes", outcomes.join("\n")),
        ];
        vec![Message { role: Role::User, content: filled(&self.text, &slots) }]
    }
}

/// A text with its slots filled: each once, so that what is filled in is not read for slots again.
fn filled(text: &str, slots: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let slot = after.split_once('}').and_then(|(name, after)| {
            slots.iter().find(|(slot, _)| *slot == name).map(|(_, value)| (value, after))
        });
        rest = if let Some((value, after)) = slot {
            out.push_str(value);
            after
        } else {
            out.push('{');
            after
        };
    }
    out + rest
}

#[cfg(test)]
#[path = "reflecting_tests.rs"]
mod tests;
