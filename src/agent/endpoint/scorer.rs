//! The ways in which servers are made to say how likely a text is.
//!
//! A continuation is scored as its own tokens: where the server's tokens do not end where the
//! prompt ends, there is no figure, rather than that of another text.

use futures::future::try_join_all;
use serde_json::{Value, json};

use super::found::Server;
use super::native::{ids, unread};
use super::score::Prefix;
use super::shared::Core;
use super::wire::To;
use crate::error::Result;

/// How a server is made to score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scorer {
    /// vLLM says the log-probability of each token of a prompt.
    PromptLogprobs,
    /// The old completions route gives the prompt back, with log-probabilities.
    Echo,
    /// The route of SGLang.
    Generate,
    /// llama.cpp is made to write the text by a grammar that knows no other: of its tokens, or of
    /// its characters where the server is too old for that.
    Grammar {
        /// Of its tokens.
        by_tokens: bool,
    },
}

impl Core {
    pub(super) async fn score(
        &self,
        server: Server,
        scorer: Scorer,
        prefix: &Prefix,
        continuations: &[String],
    ) -> Result<Vec<Option<f64>>> {
        let before = match scorer {
            Scorer::Echo => Vec::new(),
            Scorer::Generate => self.generated(&prefix.text, 0).await?.1,
            _ => self.tokens(server, &prefix.text, prefix.special).await?,
        };
        let before = &before;
        try_join_all(continuations.iter().map(async |text| {
            if text.is_empty() {
                return Ok(Some(0.0));
            }
            let whole = format!("{}{text}", prefix.text);
            match scorer {
                Scorer::Echo => self.by_echo(&whole, text, prefix.special).await,
                Scorer::Generate => self.by_generate(&whole, before).await,
                Scorer::PromptLogprobs | Scorer::Grammar { .. } => {
                    let tokens = self.tokens(server, &whole, prefix.special).await?;
                    match tokens.strip_prefix(before.as_slice()) {
                        // The first token of all has no probability.
                        Some(own) if !own.is_empty() && !before.is_empty() => match scorer {
                            Scorer::Grammar { by_tokens } => {
                                self.by_grammar(before, own, text, by_tokens).await
                            }
                            _ => self.by_prompt(&tokens, before.len()).await,
                        },
                        _ => Ok(None),
                    }
                }
            }
        }))
        .await
    }

    /// The log-probability of tokens after others, by a scorer that takes tokens.
    pub(super) async fn score_tokens(
        &self,
        scorer: Scorer,
        before: &[u32],
        own: &[u32],
    ) -> Result<Option<f64>> {
        match scorer {
            Scorer::Grammar { by_tokens } => self.by_grammar(before, own, "", by_tokens).await,
            _ => self.by_prompt(&[before, own].concat(), before.len()).await,
        }
    }

    async fn by_prompt(&self, tokens: &[u32], from: usize) -> Result<Option<f64>> {
        let body = self.with_extra(json!({
            "model": self.model().await?, "prompt": tokens, "max_tokens": 1, "temperature": 0,
            "prompt_logprobs": 1,
        }));
        let value = self.counted(To::Api("/completions"), &body, tokens.len() * 4, 1).await?;
        let known = value["choices"][0]["prompt_logprobs"].as_array();
        let known = known.filter(|known| known.len() == tokens.len());
        let known = known.ok_or_else(|| unread("prompt_logprobs", "not one for each token"))?;
        sum(tokens.iter().zip(known).skip(from).map(|(id, at)| &at[id.to_string()]["logprob"]))
    }

    async fn by_echo(&self, whole: &str, text: &str, special: bool) -> Result<Option<f64>> {
        let mut body = self.with_extra(json!({
            "model": self.model().await?, "prompt": whole, "max_tokens": 1, "temperature": 0,
            "echo": true, "logprobs": 1,
        }));
        if !special {
            body["add_special_tokens"] = false.into();
        }
        let characters = whole.chars().count();
        let value = self.counted(To::Api("/completions"), &body, characters, 1).await?;
        let known = &value["choices"][0]["logprobs"];
        let (Some(tokens), Some(logps)) =
            (known["tokens"].as_array(), known["token_logprobs"].as_array())
        else {
            return Err(unread("echo", "it has no logprobs"));
        };
        let tokens: Vec<&str> = tokens.iter().map(|t| t.as_str().unwrap_or_default()).collect();
        // The last is written and not given back, if it is there at all.
        let given = value["usage"]["prompt_tokens"].as_u64().map(|given| given as usize);
        let given = given.unwrap_or(tokens.len().saturating_sub(1));
        if given > tokens.len() || logps.len() != tokens.len() {
            return Err(unread("echo", "not one logprob for each token"));
        }
        if !tokens[..given].concat().ends_with(whole) {
            return Err(unread("echo", "the prompt is not given back"));
        }
        let mut length = 0;
        let first = (0..given).rev().find(|at| {
            length += tokens[*at].len();
            length >= text.len()
        });
        match first.filter(|first| length == text.len() && *first > 0) {
            Some(first) => sum(logps[first..given].iter()),
            None => Ok(None),
        }
    }

    /// The log-probabilities and tokens of a text from token `from` on.
    async fn generated(&self, text: &str, from: usize) -> Result<(Vec<Value>, Vec<u32>)> {
        let body = json!({
            "text": text, "sampling_params": { "temperature": 0, "max_new_tokens": 1 },
            "return_logprob": true, "logprob_start_len": from,
        });
        let characters = text.chars().count();
        let value = self.counted(To::Root("/generate"), &body, characters, 1).await?;
        let known = value["meta_info"]["input_token_logprobs"].as_array();
        let known = known.ok_or_else(|| unread("/generate", "it has no input_token_logprobs"))?;
        let (logps, tokens): (_, Vec<Value>) =
            known.iter().map(|token| (token[0].clone(), token[1].clone())).unzip();
        let tokens = ids(&Value::Array(tokens));
        Ok((logps, tokens.ok_or_else(|| unread("/generate", "a token has no number"))?))
    }

    async fn by_generate(&self, whole: &str, before: &[u32]) -> Result<Option<f64>> {
        let Some(last) = before.len().checked_sub(1) else { return Ok(None) };
        // From the last token of the prompt on: that it is the same one says that the tokens end
        // where the prompt does.
        let (logps, tokens) = self.generated(whole, last).await?;
        if tokens.first() != before.last() || tokens.len() < 2 {
            return Ok(None);
        }
        sum(logps[1..].iter())
    }

    async fn by_grammar(
        &self,
        before: &[u32],
        own: &[u32],
        text: &str,
        by_tokens: bool,
    ) -> Result<Option<f64>> {
        let body = json!({
            "prompt": before, "n_predict": own.len(), "grammar": grammar(own, text, by_tokens),
            "n_probs": 1, "post_sampling_probs": false, "temperature": 0, "cache_prompt": true,
            "return_tokens": true, "stream": false,
        });
        let characters = before.len() * 4;
        let answer = own.len() as u64;
        let value = self.counted(To::Root("/completion"), &body, characters, answer).await?;
        let known = value["completion_probabilities"].as_array();
        let known = known.ok_or_else(|| unread("/completion", "it has no probabilities"))?;
        let written = ids(&Value::Array(known.clone()));
        let written = written.ok_or_else(|| unread("/completion", "a token has no number"))?;
        // The model may have written the same text in other tokens; that is another event.
        if written != own {
            return Ok(None);
        }
        sum(known.iter().map(|token| &token["logprob"]))
    }
}

/// A grammar that allows one text only.
fn grammar(tokens: &[u32], text: &str, by_tokens: bool) -> String {
    if by_tokens {
        let tokens: Vec<String> = tokens.iter().map(|id| format!("<[{id}]>")).collect();
        return format!("root ::= {}", tokens.join(" "));
    }
    let mut rule = String::from("root ::= \"");
    for c in text.chars() {
        match c {
            '"' | '\\' => rule.extend(['\\', c]),
            '\n' => rule.push_str("\\n"),
            '\r' => rule.push_str("\\r"),
            '\t' => rule.push_str("\\t"),
            c if c.is_control() => rule.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => rule.push(c),
        }
    }
    rule.push('"');
    rule
}

/// The sum of log-probabilities, all of which must be there.
fn sum<'a>(logps: impl Iterator<Item = &'a Value>) -> Result<Option<f64>> {
    let mut sum = 0.0;
    for logp in logps {
        let logp = logp.as_f64().filter(|logp| *logp <= 1e-3);
        sum += logp.ok_or_else(|| unread("the scorer", "a token has no log-probability"))?;
    }
    Ok(Some(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grammar_allows_one_text() {
        assert_eq!(grammar(&[3, 12], "x", true), "root ::= <[3]> <[12]>");
        assert_eq!(grammar(&[], "a\"\\\n\u{1}é", false), r#"root ::= "a\"\\\n\U00000001é""#);
    }

    #[test]
    fn a_sum_has_no_holes() {
        assert_eq!(sum([json!(-1), json!(-0.5)].iter()).unwrap(), Some(-1.5));
        assert!(sum([json!(-1), Value::Null].iter()).is_err());
        assert!(sum(std::iter::once(&json!(0.3))).is_err());
    }
}
