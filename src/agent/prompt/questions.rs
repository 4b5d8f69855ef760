//! What a model is told that it is asked: the system's message of each of the three questions, which
//! a person may write anew. What is given of a state is the same under all of them.

use std::path::Path;

use serde::Deserialize;

use crate::digest::versioned;
use crate::error::{Error, Result};
use crate::paths;
use crate::text::is_name;

/// A file has at most so many bytes.
const LONGEST: u64 = 64 << 10;

/// The messages; the usual ones unless a person's own file says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Questions {
    /// To act, after a thought or without one. The answer is read from `<action>…</action>`.
    pub act: String,
    /// To think, and not to act yet.
    pub think: String,
    /// To say what an action leads to.
    pub predict: String,
    /// The file's name; none of the usual ones.
    #[serde(skip)]
    name: Option<String>,
}

impl Default for Questions {
    fn default() -> Self {
        Self {
            act:
                "You act in a text environment. Give the next action in <action></action>; you may \
                  think before it in <think></think>."
                    .into(),
            think: "You act in a text environment. Think about what to do next and why, in a few \
                    sentences. Give the thought alone, and no action yet."
                .into(),
            predict: "You predict what a text environment answers. Answer with the next \
                      observation only."
                .into(),
            name: None,
        }
    }
}

impl Questions {
    /// Those of `prompts/NAME.toml` in the data directory, with `act`, `think`, `predict`; what it
    /// does not say is as usual.
    pub fn named(root: &Path, name: &str) -> Result<Self> {
        if !is_name(name) {
            return Err(Error::usage(format!("`{name}` is no name of prompts"))
                .hint("letters, digits, - and _: they are in prompts/NAME.toml"));
        }
        let path = root.join("prompts").join(format!("{name}.toml"));
        let text = paths::read_text(&path, LONGEST).map_err(|e| {
            Error::io("reading", &path, &e).hint("it may have act, think and predict, each a text")
        })?;
        let read = toml::from_str::<Self>(&text);
        let questions =
            read.map_err(|e| Error::new(format!("{}: {}", path.display(), e.message())))?;
        for (field, text) in
            [("act", &questions.act), ("think", &questions.think), ("predict", &questions.predict)]
        {
            if text.trim().is_empty() {
                return Err(Error::new(format!("{}: `{field}` is empty", path.display())));
            }
        }
        if !questions.act.contains("<action>") {
            return Err(Error::new(format!("{}: `act` asks for no <action>", path.display()))
                .hint("an answer's action is read from <action>…</action>: ask for that"));
        }
        Ok(Self { name: Some(name.into()), ..questions })
    }

    /// The same with another way of being asked to act, under a name of its own.
    #[must_use]
    pub fn acting(&self, name: &str, act: &str) -> Self {
        Self { act: act.into(), name: Some(name.into()), ..self.clone() }
    }

    /// Its name, with what tells one version of its texts from another; none of the usual ones.
    pub fn name(&self) -> Option<String> {
        let texts = [self.act.as_str(), &self.think, &self.predict];
        self.name.as_ref().map(|name| versioned(name, texts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_own_are_read_versioned_and_checked() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("prompts")).unwrap();
        let write = |text: &str| {
            std::fs::write(dir.path().join("prompts/own.toml"), text).unwrap();
            Questions::named(dir.path(), "own")
        };
        let own = write("predict = \"Say what comes.\"").unwrap();
        assert_eq!(
            (own.predict.as_str(), &own.act),
            ("Say what comes.", &Questions::default().act)
        );
        let other = write("predict = \"Say what comes!\"").unwrap();
        assert!(own.name().unwrap().starts_with("own#") && own.name() != other.name());
        assert_eq!(Questions::default().name(), None);
        for (text, said) in [
            ("act = \"Answer with the action.\"", "no <action>"),
            ("think = \" \"", "`think` is empty"),
            ("ask = \"x\"", "ask"),
            ("act = 3", "own.toml"),
        ] {
            let error = write(text).unwrap_err();
            assert!(error.to_string().contains(said), "{text}: {error}");
        }
        assert!(Questions::named(dir.path(), "../own").is_err());
        assert!(Questions::named(dir.path(), "none").is_err());
    }
}
