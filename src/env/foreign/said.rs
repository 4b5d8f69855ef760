//! What a world of another program says: read strictly, for a field that is spelt otherwise would be
//! a state of which half is missing.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::env::{Actions, Form, TaskRef, Turn};
use crate::error::{Error, Kind, Result};
use crate::experience::EXPERTS;

/// The protocol that is spoken here.
pub const PROTOCOL: u32 = 1;

/// How a world is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fork {
    /// It copies itself when it is asked.
    Native,
    /// The same task and actions lead to the same state.
    #[default]
    Replay,
    /// Not even that is promised.
    None,
}

/// What its states say of what can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// A list.
    List,
    /// A schema.
    Schema,
    /// Forms of text, or nothing.
    Text,
}

/// The answer to `hello`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// What the world is called.
    pub name: String,
    /// The one for training first.
    pub splits: Vec<String>,
    /// How it is copied.
    #[serde(default)]
    pub fork: Fork,
    /// Whether it tells its states apart.
    #[serde(default)]
    pub hash: bool,
    /// What its states say of what can be sent.
    pub actions: Option<Told>,
    /// Whom it can ask.
    #[serde(default)]
    pub experts: Vec<String>,
    /// Steps of an episode.
    pub limit: Option<usize>,
    /// Worlds that a process can hold.
    pub worlds: Option<usize>,
    /// Whether the same action is answered alike.
    #[serde(default = "yes")]
    pub deterministic: bool,
}

fn yes() -> bool {
    true
}

/// The answer to `tasks`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    tasks: Vec<Task>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Task {
    Id(String),
    Of(TaskOfKind),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskOfKind {
    id: String,
    #[serde(default)]
    kind: String,
}

/// The answer to `new`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// What it calls the world.
    pub world: String,
    /// How that begins.
    pub state: Said,
}

/// The answer to `fork`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forked {
    /// What it calls the copy.
    pub world: String,
}

/// The answer to `step`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stepped {
    /// How the world is after it.
    pub state: Said,
}

/// The answer to `hash`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashed {
    /// Equal for states that playing on cannot tell apart.
    pub hash: String,
}

/// The answer to `expert`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advised {
    /// What it would do.
    pub action: Option<String>,
    /// How many steps that leaves, this one included.
    pub steps_left: Option<usize>,
    /// Why it says nothing.
    pub silent: Option<String>,
}

/// A state.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// The goal.
    pub task: Option<String>,
    observation: String,
    admissible: Option<Vec<String>>,
    forms: Option<Vec<String>>,
    schema: Option<Map<String, Value>>,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    success: bool,
    #[serde(default)]
    truncated: bool,
    reward: Option<f64>,
}

/// An answer of a kind, from what was answered to `op`.
pub fn read<T: DeserializeOwned>(op: &str, answer: Value) -> Result<T> {
    serde_json::from_value(answer).map_err(|e| {
        Error::new(format!("its answer to `{op}`: {e}"))
            .of(Kind::World)
            .hint("docs/worlds.md has every field of every answer")
    })
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(what).of(Kind::World)
}

/// Refuses what cannot be the name of a world: it is stored, and stands in commands.
pub fn vet_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || name.len() > 40 || !name.chars().all(plain) {
        return Err(wrong(format!("`{name}` is no name of a world"))
            .hint("a letter or digit, and up to 39 more or `-`, `_`, `.`"));
    }
    if crate::env::SUITES.contains(&name) {
        return Err(wrong(format!("a world of another program cannot be called {name}"))
            .hint("that is a suite of this program: name it something else"));
    }
    Ok(())
}

/// Refuses names of splits and experts that cannot be told apart, or said.
fn vet_names(what: &str, names: &[String]) -> Result<()> {
    let mut known = HashSet::new();
    for name in names {
        if name.trim().is_empty() || name.len() > 60 || name.chars().any(char::is_control) {
            return Err(wrong(format!("{name:?} is no name of {what}")));
        }
        if !known.insert(name) {
            return Err(wrong(format!("there are two {what} called {name}")));
        }
    }
    Ok(())
}

impl Hello {
    /// Refuses what cannot be.
    pub fn vet(&self) -> Result<()> {
        if self.protocol != PROTOCOL {
            return Err(wrong(format!("it speaks protocol {}, not {PROTOCOL}", self.protocol)));
        }
        vet_name(&self.name)?;
        if self.splits.is_empty() {
            return Err(wrong("it has no splits"));
        }
        vet_names("split", &self.splits)?;
        vet_names("expert", &self.experts)?;
        // What is stored of a step is told apart by these names: an expert's is to be imitated.
        if let Some(odd) = self.experts.iter().find(|name| !EXPERTS.contains(&name.as_str())) {
            return Err(wrong(format!("an expert cannot be called {odd}")).hint(
                "planner (it knows the world, and a shortest way), fair (it knows what it was told) \
                 or walkthrough (a way that is written down)",
            ));
        }
        if self.limit == Some(0) || self.worlds == Some(0) {
            return Err(wrong("`limit` and `worlds` are at least 1"));
        }
        Ok(())
    }
}

impl Tasks {
    /// The tasks, each once.
    pub fn read(self) -> Result<Vec<TaskRef>> {
        let mut known = HashSet::new();
        let one = |task: Task| {
            let (id, kind) = match task {
                Task::Id(id) => (id, String::new()),
                Task::Of(TaskOfKind { id, kind }) => (id, kind),
            };
            if id.trim().is_empty() || id.chars().any(char::is_control) {
                return Err(wrong(format!("{id:?} is no name of a task")));
            }
            if !known.insert(id.clone()) {
                return Err(wrong(format!("there are two tasks called {id}")));
            }
            let kind = if kind.trim().is_empty() { "task".into() } else { kind };
            Ok(TaskRef { id, kind })
        };
        self.tasks.into_iter().map(one).collect()
    }
}

impl Said {
    /// The state as a turn.
    pub fn turn(self, told: Option<Told>) -> Result<Turn> {
        let Self {
            observation, admissible, forms, schema, done, success, truncated, reward, ..
        } = self;
        if let Some(odd) =
            admissible.iter().chain(&forms).flatten().find(|action| action.trim().is_empty())
        {
            return Err(wrong(format!("a state lists an action that is empty ({odd:?})")));
        }
        let listed = admissible
            .map(|list| list.into_iter().map(Arc::from).collect::<Vec<Arc<str>>>().into());
        let is_told = match told {
            None => true,
            Some(Told::List) => listed.is_some(),
            Some(Told::Schema) => schema.is_some(),
            Some(Told::Text) => listed.is_none() && schema.is_none(),
        };
        // What is over takes nothing more.
        if let (false, false, Some(told)) = (is_told, done || success, told) {
            return Err(wrong(format!(
                "it says that its actions are {told:?}, and a state says otherwise"
            )));
        }
        let forms = forms.into_iter().flatten().map(Form::new);
        let schema = schema.map(|schema| Form::new(Value::Object(schema).to_string()));
        let free: Vec<Form> = forms.chain(schema).collect();
        Ok(Turn {
            observation: observation.into(),
            actions: Actions { listed, free: (!free.is_empty()).then(|| free.into()) },
            reward: reward.unwrap_or(f64::from(u8::from(success))),
            done: done || success || truncated,
            success,
            truncated,
        })
    }
}
