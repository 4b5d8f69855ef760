//! A known pair: what a server says of a token that it wrote, against what its scorer says of it.

use serde_json::{Value, json};

use super::found::Server;
use super::native::unread;
use super::score::Prefix;
use super::scorer::Scorer;
use super::shared::Core;
use super::wire::To;
use crate::error::{Error, Kind, Result};

/// The beginning of a text that most models go on with in one way.
const PAIR: &str = "The capital of France is";

/// Nats that two ways to the same figure may lie apart: servers compute in 16 bits.
const APART: f64 = 0.05;

impl Core {
    /// Whether a scorer says of the likeliest next tokens what the server said when it wrote them.
    pub(super) async fn verify(&self, server: Server, scorer: Scorer) -> Result<()> {
        let known = match scorer {
            Scorer::PromptLogprobs | Scorer::Echo => self.known_completion().await?,
            Scorer::Generate => self.known_generate().await?,
            Scorer::Grammar { .. } => self.known_llama().await?,
        };
        // Half a character is no text that could be scored.
        let known = known
            .into_iter()
            .filter(|(text, _)| !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER));
        let (texts, said): (Vec<String>, Vec<f64>) = known.unzip();
        let scored = self.score(server, scorer, &Prefix::of(PAIR), &texts).await?;
        let mut compared = 0;
        for ((text, said), scored) in texts.iter().zip(said).zip(scored) {
            let Some(scored) = scored else { continue };
            if (scored - said).abs() > APART {
                return Err(Error::new(format!(
                    "of {:?} after a known text it says {said:.3} when it writes it, and \
                     {scored:.3} when it is asked for it",
                    self.wire.shown(text)
                ))
                .of(Kind::Remote { retry: false }));
            }
            compared += 1;
        }
        if compared == 0 {
            return Err(Error::new("its tokens do not end where a text ends")
                .of(Kind::Remote { retry: false }));
        }
        Ok(())
    }

    async fn known_completion(&self) -> Result<Vec<(String, f64)>> {
        let body = self.with_extra(json!({
            "model": self.model().await?, "prompt": PAIR, "max_tokens": 1, "temperature": 0,
            "logprobs": 2,
        }));
        let value = self.counted(To::Api("/completions"), &body, PAIR.len(), 1).await?;
        let known = &value["choices"][0]["logprobs"];
        let one = pair(&known["tokens"][0], &known["token_logprobs"][0]);
        let mut pairs = vec![one.ok_or_else(|| unread("/completions", "it has no logprobs"))?];
        if let Some(others) = known["top_logprobs"][0].as_object() {
            let others = others.iter().filter(|(text, _)| **text != pairs[0].0);
            let others: Vec<_> =
                others.filter_map(|(text, logp)| Some((text.clone(), logp.as_f64()?))).collect();
            pairs.extend(others);
        }
        Ok(pairs)
    }

    async fn known_generate(&self) -> Result<Vec<(String, f64)>> {
        let body = json!({
            "text": PAIR, "sampling_params": { "temperature": 0, "max_new_tokens": 1 },
            "return_logprob": true, "top_logprobs_num": 2, "return_text_in_logprobs": true,
        });
        let value = self.counted(To::Root("/generate"), &body, PAIR.len(), 1).await?;
        let meta = &value["meta_info"];
        let tokens = meta["output_top_logprobs"][0]
            .as_array()
            .or_else(|| meta["output_token_logprobs"].as_array())
            .ok_or_else(|| unread("/generate", "it has no output_token_logprobs"))?;
        Ok(tokens.iter().filter_map(|token| pair(&token[2], &token[0])).collect())
    }

    async fn known_llama(&self) -> Result<Vec<(String, f64)>> {
        let body = json!({
            "prompt": PAIR, "n_predict": 1, "temperature": 0, "n_probs": 2,
            "post_sampling_probs": false, "stream": false,
        });
        let value = self.counted(To::Root("/completion"), &body, PAIR.len(), 1).await?;
        let first = &value["completion_probabilities"][0];
        let tokens = first["top_logprobs"]
            .as_array()
            .ok_or_else(|| unread("/completion", "it has no top_logprobs"))?;
        Ok(tokens.iter().filter_map(|token| pair(&token["token"], &token["logprob"])).collect())
    }
}

fn pair(text: &Value, logp: &Value) -> Option<(String, f64)> {
    Some((text.as_str()?.to_string(), logp.as_f64()?))
}
