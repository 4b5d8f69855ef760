//! `tokenizer.json` and the few control tokens that frame what a model is asked.

use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, TokenizerBuilder};

use crate::error::{Error, Result};

/// Control tokens, each one token: they separate what an agent reads from the three things it is asked to write.
pub const TASK: &str = "<|task|>";
/// An observation follows (given, or to be predicted).
pub const OBSERVATION: &str = "<|obs|>";
/// An action follows.
pub const ACTION: &str = "<|act|>";
/// A reflection follows.
pub const THINK: &str = "<|think|>";
/// What was begun ends here.
pub const END: &str = "<|end|>";

const CONTROL: [&str; 5] = [TASK, OBSERVATION, ACTION, THINK, END];

/// A byte-level tokenizer with the control tokens.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Id of [`END`].
    pub end: u32,
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(format!("tokenizer.json: {error}"))
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let inner = tokenizers::Tokenizer::from_bytes(json).map_err(failed)?;
        Self::new(inner)
    }

    fn new(mut inner: tokenizers::Tokenizer) -> Result<Self> {
        for token in CONTROL {
            if inner.token_to_id(token).is_none() {
                return Err(failed(format!("the control token {token} is missing"))
                    .hint("use a model trained by foretaste; other models are asked through their chat template later"));
            }
        }
        _ = inner.with_truncation(None);
        inner.with_padding(None);
        let end = inner.token_to_id(END).ok_or_else(|| failed("no end token"))?;
        Ok(Self { inner, end })
    }

    /// Trains a byte-level BPE of at most `vocab` tokens on `texts`.
    pub fn train(texts: &[String], vocab: usize) -> Result<Self> {
        let bytes = ByteLevel::new(false, true, true);
        let mut inner = TokenizerBuilder::<
            BPE,
            tokenizers::normalizers::NFC,
            ByteLevel,
            tokenizers::processors::byte_level::ByteLevel,
            ByteLevel,
        >::default()
        .with_model(BPE::default())
        .with_pre_tokenizer(Some(bytes))
        .with_decoder(Some(bytes))
        .build()
        .map_err(failed)?;
        let mut trainer = BpeTrainerBuilder::new()
            .vocab_size(vocab)
            .min_frequency(2)
            .show_progress(false)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(CONTROL.iter().map(|token| AddedToken::from(*token, true)).collect())
            .build();
        inner.train(&mut trainer, texts.iter().map(String::as_str)).map_err(failed)?;
        Self::parse(inner.to_string(false).map_err(failed)?.as_bytes())
    }

    /// Number of tokens.
    pub fn vocab(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Token ids of `text`; control tokens written in it count as themselves.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.inner.encode_fast(text, false).map_err(failed)?.get_ids().to_vec())
    }

    /// Token ids of text from outside, in which control tokens are just characters.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>> {
        // A zero-width space keeps the literal apart from the control token it looks like.
        if text.contains("<|") { self.encode(&text.replace("<|", "<\u{200b}|")) } else { self.encode(text) }
    }

    /// The id of a control token.
    pub fn control(&self, token: &str) -> Result<u32> {
        self.inner.token_to_id(token).ok_or_else(|| failed(format!("no token {token}")))
    }

    /// The text of token ids, control tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, true).map_err(failed)
    }

    /// The file's text.
    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(true).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trains_round_trips_and_keeps_outside_text_outside() {
        let texts: Vec<String> = (0..50).map(|i| format!("walk to shelf {i}. é")).collect();
        let tokenizer = Tokenizer::train(&texts, 300).unwrap();
        for text in ["walk to shelf 7.", "日本 🎉", "", " a\n\nb "] {
            assert_eq!(tokenizer.decode(&tokenizer.encode_plain(text).unwrap()).unwrap(), text);
        }
        let end = tokenizer.control(END).unwrap();
        assert!(tokenizer.encode("x<|end|>").unwrap().contains(&end));
        assert!(!tokenizer.encode_plain("x<|end|>").unwrap().contains(&end));
        let again = Tokenizer::parse(tokenizer.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(again.encode(&texts[3]).unwrap(), tokenizer.encode(&texts[3]).unwrap());
        assert!(Tokenizer::parse(b"{").is_err());
    }
}
