//! A state as messages of a chat: for exports, and for models that are asked over a line.

use serde::Serialize;

use super::{Questions, first_observation, told};
use crate::experience::State;

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What is always so.
    System,
    /// What is given.
    User,
    /// What the model writes.
    Assistant,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// What a model is asked about a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question<'a> {
    /// To act, after a thought or without one: what is trained on reflections answers the very
    /// prompt that imitation does (paper, section 4.3).
    Act,
    /// To think, and not to act yet.
    Think,
    /// To say what an action leads to.
    Predict(&'a str),
}

/// How observations stand in a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observations {
    /// As a run here is trained on them, and common agent harnesses give them: without the engine's
    /// banner, the repeated task line, and the location's number that the older wording puts in
    /// front of an arrival.
    #[default]
    Stripped,
    /// Byte for byte as the engine printed them.
    Original,
}

impl Observations {
    /// An observation as it stands there.
    pub fn told(self, observation: &str) -> &str {
        if self == Self::Stripped { told(observation) } else { observation }
    }
}

/// What a model is given of a state to answer a question.
pub fn messages(
    state: &State,
    question: Question<'_>,
    questions: &Questions,
    how: Observations,
) -> Vec<Message> {
    let mut text = match how {
        Observations::Stripped => {
            format!(
                "Task: {}\n\n{}",
                state.task.trim(),
                first_observation(&state.observation, &state.task)
            )
        }
        Observations::Original => state.observation.clone(),
    };
    for (action, observation) in &state.history {
        text.push_str(&format!("\n\n> {action}\n{}", how.told(observation)));
    }
    let system = match question {
        Question::Act => &questions.act,
        Question::Think => &questions.think,
        Question::Predict(action) => {
            text.push_str(&format!("\n\n> {action}"));
            &questions.predict
        }
    };
    vec![
        Message { role: Role::System, content: system.clone() },
        Message { role: Role::User, content: text },
    ]
}

/// An action, and the thought before it where there is one, as they are answered.
pub fn answer(thought: Option<&str>, action: &str) -> String {
    let thought =
        thought.map_or(String::new(), |thought| format!("<think>{}</think>", thought.trim()));
    format!("{thought}<action>{action}</action>")
}
