//! What an agent's model is told in place of the agent's own system message.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::paths;
use crate::text::is_name;

/// Between a mind and the text that it is told: `writer with kitchen`.
const WITH: &str = " with ";

/// Bytes of such a file.
const LONGEST: u64 = 1 << 20;

/// A text as a file: `prompts/NAME.toml` in the data directory.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    system: String,
}

/// How a person has a model asked that could be asked in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// By its own chat template, tools and all: `MIND as chat`.
    Chat,
    /// About the state that a conversation stands for: `MIND as state`.
    State,
}

/// A mind as a route names it: `MIND`, `MIND as chat`, `MIND with NAME`, `MIND as chat with NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'a> {
    /// The mind alone.
    pub mind: &'a str,
    /// How it is asked, where that is said.
    pub(super) form: Option<Form>,
    /// The name of the text that it is told.
    pub(super) text: Option<&'a str>,
}

impl<'a> Named<'a> {
    /// Reads a name.
    pub fn parse(name: &'a str) -> Self {
        let (name, text) = match name.rsplit_once(WITH) {
            Some((mind, text)) => (mind.trim(), Some(text.trim())),
            None => (name, None),
        };
        let forms = [(" as chat", Form::Chat), (" as state", Form::State)];
        let found = forms.into_iter().find_map(|(end, form)| Some((name.strip_suffix(end)?, form)));
        let (mind, form) = found.map_or((name, None), |(mind, form)| (mind.trim_end(), Some(form)));
        Self { mind, form, text }
    }
}

/// A mind that is told a text, by name.
pub(super) fn joined(mind: &str, text: &str) -> String {
    format!("{mind}{WITH}{text}")
}

/// A text as the file that routes name it by.
#[must_use]
pub fn prompt_file(text: &str) -> String {
    format!("system = {}\n", toml::Value::String(text.into()))
}

/// The text of that name.
///
/// # Errors
/// Where there is none, or the file says something else too.
pub(super) fn text_of(root: &Path, name: &str) -> Result<String> {
    if !is_name(name) {
        return Err(Error::usage(format!("`{name}` is no name of a prompt"))
            .hint("MIND with NAME: the text of prompts/NAME.toml"));
    }
    let path = root.join("prompts").join(format!("{name}.toml"));
    let hint = "foretaste prompts accept NAME writes it, for an agent's prompt: a file with system = \"…\"";
    let text =
        paths::read_text(&path, LONGEST).map_err(|e| Error::io("reading", &path, &e).hint(hint))?;
    let told: Told = toml::from_str(&text)
        .map_err(|e| Error::new(format!("{}: {}", path.display(), e.message())).hint(hint))?;
    Ok(told.system)
}

/// A request with a text in place of what its first messages say as the system; the others stay.
pub(super) fn retold(body: &Map<String, Value>, text: &str) -> Map<String, Value> {
    let mut body = body.clone();
    if let Some(Value::Array(messages)) = body.get_mut("messages") {
        let is_system =
            |message: &Value| matches!(message["role"].as_str(), Some("system" | "developer"));
        let own = messages.iter().take_while(|message| is_system(message)).count();
        let told = json!({"role": "system", "content": text});
        messages.splice(..own, [told]);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_in_place_of_the_system_message_alone() {
        let body = json!({"messages": [
            {"role": "system", "content": "You play."}, {"role": "developer", "content": "Well."},
            {"role": "user", "content": "go"}], "tools": [1]});
        let told = retold(body.as_object().unwrap(), "Look first.");
        assert_eq!(
            Value::Object(told),
            json!({"messages": [{"role": "system", "content": "Look first."},
                {"role": "user", "content": "go"}], "tools": [1]})
        );
        let bare = json!({"messages": [{"role": "user", "content": "go"}]});
        let told = retold(bare.as_object().unwrap(), "Look first.");
        assert_eq!(told["messages"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_file_is_read_as_it_is_written_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("prompts");
        std::fs::create_dir(&folder).unwrap();
        let text = "Look \"first\".\nThen act.";
        std::fs::write(folder.join("a.toml"), prompt_file(text)).unwrap();
        assert_eq!(text_of(dir.path(), "a").unwrap(), text);
        std::fs::write(folder.join("b.toml"), "act = \"x\"\n").unwrap();
        for name in ["b", "c", "../a"] {
            assert!(text_of(dir.path(), name).is_err(), "{name}");
        }
        let read = |name| {
            let Named { mind, form, text } = Named::parse(name);
            (mind, form, text)
        };
        assert_eq!(read("run 1 step 2 with a"), ("run 1 step 2", None, Some("a")));
        assert_eq!(read("embedded"), ("embedded", None, None));
        assert_eq!(
            read("run 1 step 2 as chat with a"),
            ("run 1 step 2", Some(Form::Chat), Some("a"))
        );
        assert_eq!(read("m as state"), ("m", Some(Form::State), None));
    }
}
