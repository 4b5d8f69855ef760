//! Puts the pieces of a reply together.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reply::{Choice, Finish, Said, UNSAID, said, usage};
use super::retry::Failure;
use super::think::Splitter;
use super::wire::Flow;

/// One answer as far as it has come.
#[derive(Debug, Default)]
struct Part {
    splitter: Splitter,
    reasoning: String,
    finish: Option<Finish>,
    tokens: Vec<(String, f32)>,
}

/// A reply as far as it has come. One that comes whole is one piece.
#[derive(Debug, Default)]
pub(super) struct Gather {
    parts: BTreeMap<usize, Part>,
    thinks_first: bool,
    /// Answers that were asked for.
    wanted: usize,
    pub usage: Option<(u64, u64)>,
    pub model: String,
    /// Characters of answers and thoughts.
    pub seen: usize,
    /// Whether some of an answer was shown.
    pub shown: bool,
}

impl Gather {
    pub fn new(thinks_first: bool, wanted: usize) -> Self {
        Self { thinks_first, wanted, ..Self::default() }
    }

    /// Takes a piece; what it adds to the text of an answer goes to `show`.
    pub fn take(
        &mut self,
        value: &Value,
        show: &mut dyn FnMut(usize, &str),
    ) -> Result<(), Failure> {
        if let Some(model) = value["model"].as_str().filter(|model| !model.is_empty()) {
            self.model = model.into();
        }
        let counted = usage(value);
        self.usage = counted.or(self.usage);
        let Some(choices) = value["choices"].as_array() else {
            if counted.is_some() {
                return Ok(());
            }
            return Err(Failure::lasting("the answer has no choices in it")
                .hint("is the URL that of an OpenAI-compatible server? it ends in /v1 mostly"));
        };
        for (place, choice) in choices.iter().enumerate() {
            let said = said(choice, place)?;
            if said.index >= self.wanted {
                return Err(Failure::lasting(format!(
                    "it gives a choice {} where {} were asked for",
                    said.index, self.wanted
                )));
            }
            self.add(said, show);
        }
        Ok(())
    }

    fn add(&mut self, said: Said, show: &mut dyn FnMut(usize, &str)) {
        let thinks_first = self.thinks_first;
        let part = self
            .parts
            .entry(said.index)
            .or_insert_with(|| Part { splitter: Splitter::new(thinks_first), ..Part::default() });
        // After its end comes nothing: a last piece that is sent twice counts once.
        if part.finish.is_some() {
            return;
        }
        self.seen += said.text.chars().count() + said.reasoning.chars().count();
        part.reasoning.push_str(&said.reasoning);
        part.tokens.extend(said.tokens);
        part.finish = said.finish;
        let text = part.splitter.push(&said.text);
        if !text.is_empty() {
            self.shown = true;
            show(said.index, &text);
        }
    }

    /// Whether no answer has begun.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What is still to be read.
    pub fn flow(&self) -> Flow {
        match self.is_finished() {
            true if self.parts.len() >= self.wanted => Flow::Linger,
            true => Flow::Maybe,
            false => Flow::More,
        }
    }

    /// Whether every answer that has begun has ended.
    pub fn is_finished(&self) -> bool {
        !self.parts.is_empty() && self.parts.values().all(|part| part.finish.is_some())
    }

    /// The answers, in order.
    pub fn choices(self) -> Vec<Choice> {
        self.parts
            .into_values()
            .map(|part| {
                let finished = part.finish.unwrap_or_else(|| Finish::Other(UNSAID.into()));
                let (text, inside) = part.splitter.finish(finished == Finish::Stop);
                let apart = part.reasoning.trim();
                let reasoning = if apart.is_empty() { inside } else { Some(apart.to_string()) };
                Choice { text, reasoning, finished, tokens: part.tokens }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::agent::endpoint::sse::Parser;

    /// Pieces of which streams are made, well and badly.
    const PIECES: [&str; 14] = [
        "data: ",
        "\n\n",
        "{\"choices\":[",
        "]}",
        "{\"index\":0,\"delta\":{\"content\":\"<think>a\"}}",
        "{\"index\":1,\"text\":\"b</think>\",\"finish_reason\":\"stop\"}",
        "{\"delta\":{\"reasoning\":\"c\"},\"logprobs\":{\"content\":[{\"logprob\":-1}]}}",
        ",",
        "null",
        "{\"index\":9e99}",
        "{\"usage\":{\"prompt_tokens\":18446744073709551615}}",
        "[[[[",
        "\u{feff}\r",
        "\"é",
    ];

    proptest! {
        #[test]
        fn nothing_that_comes_breaks_it(pieces in prop::collection::vec(0..PIECES.len(), 0..40)) {
            let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
            let (mut parser, mut gather) = (Parser::default(), Gather::new(false, 2));
            let mut shown = [String::new(), String::new()];
            let mut events = parser.push(text.as_bytes()).unwrap();
            events.extend(parser.finish().unwrap());
            for event in events {
                if let Ok(value) = serde_json::from_str(&event.data) {
                    let _ = gather.take(&value, &mut |choice, text| shown[choice].push_str(text));
                }
            }
            for choice in gather.choices() {
                prop_assert!(!choice.text.contains("think>"));
            }
        }
    }
}
