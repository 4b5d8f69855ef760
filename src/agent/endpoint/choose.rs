//! How likely options are as the first token of an answer: a choice among letters.

use serde_json::{Value, json};

use super::found::Found;
use super::native::unread;
use super::request::{ChatRequest, Draw, Question};
use super::shared::Core;
use super::wire::To;
use super::{Endpoint, whole};
use crate::agent::prompt::chat::{Message, Role};
use crate::control::Cancel;
use crate::error::{Error, Result};

/// Options that can be told apart at most: servers give no more likeliest tokens.
pub const MOST_OPTIONS: usize = 20;

impl Endpoint {
    /// Log-probabilities in nats of options, each behind a letter that the answer may begin with,
    /// among each other. An option whose letter was not among the likeliest tokens is given at
    /// most what they leave over. These are figures of the choice as it is put here, not of the
    /// options as texts.
    pub fn choose(
        &self,
        found: &Found,
        asks: Vec<(Vec<Message>, Vec<String>)>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<f64>>> {
        let most = found.most_options;
        for (_, options) in &asks {
            if options.is_empty() || options.len() > most {
                return Err(Error::usage(format!(
                    "{} options; this endpoint tells 1 to {most} apart",
                    options.len()
                )));
            }
        }
        whole(self.batch(asks, cancel, &mut |_, _, _| {}, move |core, _, ask, _| {
            Box::pin(async move { core.choose(ask.0, &ask.1, most).await })
        }))
    }
}

impl Core {
    pub(super) async fn choose(
        &self,
        mut messages: Vec<Message>,
        options: &[String],
        top: usize,
    ) -> Result<Vec<f64>> {
        let list = listed(options);
        match messages.last_mut().filter(|last| last.role == Role::User) {
            Some(last) => last.content.push_str(&format!("\n\n{list}")),
            None => messages.push(Message { role: Role::User, content: list }),
        }
        let draw = Draw { max_tokens: 1, logprobs: true, ..Draw::default() };
        let question = Question::chat(ChatRequest { messages, draw }, &self.profile);
        let mut body = question.body(self.model().await?, 0, 1);
        body["top_logprobs"] = json!(top);
        let value = self.counted(To::Api(question.path), &body, question.characters, 1).await?;
        let first = &value["choices"][0]["logprobs"]["content"][0]["top_logprobs"];
        let first =
            first.as_array().ok_or_else(|| unread("top_logprobs", "they are not in the answer"))?;
        among(first, options.len())
    }
}

/// The options behind letters, and how to answer.
fn listed(options: &[String]) -> String {
    let mut list: Vec<String> =
        options.iter().zip('A'..).map(|(option, letter)| format!("{letter}. {option}")).collect();
    list.push("Answer with one letter only.".into());
    list.join("\n")
}

/// What an option is given at least that nothing is known of.
const UNLIKELY: f64 = 1e-6;

/// The probabilities of letters among each other. A letter may come as several tokens ("A", " A").
/// Those that are not among the likeliest share what these leave over, each at most as likely as
/// the least of them.
fn among(tokens: &[Value], options: usize) -> Result<Vec<f64>> {
    let mut shares = vec![0.0; options];
    let (mut listed, mut least): (f64, f64) = (0.0, 1.0);
    for token in tokens {
        if let Some(logp) = token["logprob"].as_f64() {
            if logp > 1e-3 {
                return Err(unread("top_logprobs", "a log-probability is above 0"));
            }
            listed += logp.min(0.0).exp();
            least = least.min(logp.min(0.0).exp());
        }
        let text = token["token"].as_str().unwrap_or_default();
        let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '▁' | 'Ġ'));
        let mut letters = text.chars();
        let (Some(letter), None) = (letters.next(), letters.next()) else { continue };
        let place = ('A'..).take(options).position(|known| known == letter);
        if let (Some(place), Some(logp)) = (place, token["logprob"].as_f64()) {
            shares[place] += logp.min(0.0).exp();
        }
    }
    let sum: f64 = shares.iter().sum();
    if sum <= 0.0 {
        return Err(unread("the choice", "no letter is among the likeliest first tokens")
            .hint("a model that thinks first cannot choose so; turn that off in extra"));
    }
    let missing = shares.iter().filter(|share| **share <= 0.0).count();
    let left = (1.0 - listed).max(0.0) / missing.max(1) as f64;
    let bound = left.min(least).max(UNLIKELY);
    shares.iter_mut().filter(|share| **share <= 0.0).for_each(|share| *share = bound);
    let sum: f64 = shares.iter().sum();
    Ok(shares.into_iter().map(|share| (share / sum).ln()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_share_what_they_have() {
        let token = |text: &str, p: f64| json!({ "token": text, "logprob": p.ln() });
        let tokens = [token("A", 0.2), token(" A", 0.2), token("C", 0.1), token("AB", 0.3)];
        let found = among(&tokens, 3).unwrap();
        let share = |at: usize| found[at].exp() * 0.6;
        assert!((share(0) - 0.4).abs() < 1e-9 && (share(2) - 0.1).abs() < 1e-9);
        // Left over are 0.2; it is not above the least of those that are listed.
        assert!((share(1) - 0.1).abs() < 1e-9);
        assert!(among(&tokens[3..], 3).is_err());
        assert!(among(&tokens[2..3], 2).is_err());
    }

    #[test]
    fn options_are_listed_behind_letters() {
        assert_eq!(
            listed(&["go".into(), "no".into()]),
            "A. go\nB. no\nAnswer with one letter only."
        );
    }
}
