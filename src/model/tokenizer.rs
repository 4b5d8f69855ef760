//! `tokenizer.json` and the few control tokens that frame what a model is asked.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, NormalizedString, Normalizer, TokenizerBuilder};

use super::beside::SYSTEM;
use super::said::Said;
use super::template::{Template, Turns};
use super::vetting::vet;
use crate::error::{Error, Result};
use crate::guard::guarded;

/// Control tokens, each one token: they separate what an agent reads from the three things it is
/// asked to write.
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

/// Tokens that end a turn in models that were not made here.
const ENDS: [&str; 5] = ["<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "</s>"];

/// A tokenizer, and how the control tokens are written in it.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// What steers a model, as it is written and as tokens: text from outside never becomes one of
    /// these.
    steering: Vec<String>,
    steering_ids: HashSet<u32>,
    /// The token that a finished text carries at its end.
    pub end: u32,
    /// All tokens that end what was begun, [`Self::end`] among them.
    pub ends: Vec<u32>,
    /// Whether it has none of our control tokens: they are words then.
    pub foreign: bool,
    /// How a conversation is written, where the model was trained on them; else why not, if it has
    /// a chat template.
    pub turns: std::result::Result<Turns, Option<String>>,
    /// What a person has it told before anything else, in place of the usual.
    pub system: Option<String>,
    /// What a text begins with in a model that was not made here, as its own tokenizer adds it
    /// (BOS); mostly nothing.
    pub opening: Vec<u32>,
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(format!("tokenizer.json: {error}"))
}

/// The parts of a `tokenizer.json` that hold regular expressions.
#[derive(Deserialize)]
struct Patterns {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
}

/// These files are written for an engine whose `^` and `$` are the ends of each line; ours has to
/// be told. How often it was.
fn by_lines(part: &mut Value) -> usize {
    match part {
        Value::Object(fields) => fields
            .iter_mut()
            .map(|(name, value)| match value {
                Value::String(pattern) if name == "Regex" && anchored(pattern) => {
                    pattern.insert_str(0, "(?m)");
                    1
                }
                other => by_lines(other),
            })
            .sum(),
        Value::Array(items) => items.iter_mut().map(by_lines).sum(),
        _ => 0,
    }
}

/// Whether a pattern has an anchor outside of character classes, and not yet what [`by_lines`] puts
/// before it.
fn anchored(pattern: &str) -> bool {
    let mut depth = 0_usize;
    let mut escaped = false;
    let anchor = pattern.chars().any(|c| {
        let literal = escaped;
        escaped = c == '\\' && !literal;
        match c {
            '[' if !literal => depth += 1,
            ']' if !literal => depth = depth.saturating_sub(1),
            _ => {}
        }
        !literal && depth == 0 && matches!(c, '^' | '$')
    });
    anchor && !pattern.starts_with("(?m)")
}

fn section<T: serde::de::DeserializeOwned>(part: Value) -> Result<T> {
    serde_json::from_value(part).map_err(failed)
}

/// The tokens that a tokenizer's own post-processor puts before a text.
fn opening(inner: &tokenizers::Tokenizer) -> Result<Vec<u32>> {
    let ids = |special: bool| {
        inner.encode_fast("a", special).map(|found| found.get_ids().to_vec()).map_err(failed)
    };
    let plain = ids(false)?;
    let whole = ids(true)?;
    let at =
        whole.windows(plain.len().max(1)).position(|window| window == plain).unwrap_or_default();
    Ok(whole[..at].to_vec())
}

/// A larger id than this belongs to no model, and some of the library walks all ids up to the
/// largest.
const LARGEST: u32 = 1 << 22;

/// Refuses ids that no model has, and added tokens that the normalizer makes nothing of: the
/// library would find them everywhere in a text, without end.
fn vet_tokens(inner: &tokenizers::Tokenizer) -> Result<()> {
    if let Some((token, id)) = inner.get_vocab(true).into_iter().find(|(_, id)| *id > LARGEST) {
        return Err(failed(format!(
            "the token {token:?} has the id {id}, which is above {LARGEST}"
        )));
    }
    let Some(normalizer) = inner.get_normalizer() else { return Ok(()) };
    for token in inner.get_added_tokens_decoder().values().filter(|token| token.normalized) {
        let mut text = NormalizedString::from(token.content.as_str());
        normalizer.normalize(&mut text).map_err(failed)?;
        if text.get().is_empty() {
            return Err(failed(format!(
                "the normalizer leaves nothing of the added token {:?}",
                token.content
            )));
        }
    }
    Ok(())
}

/// Tokens that stand for what a vocabulary does not have: text becomes them by right.
const UNKNOWN: [&str; 4] = ["<unk>", "[UNK]", "<|unk|>", "unk"];

/// The literals that steer a model: its special tokens, and other added ones that are written like
/// markup (`<think>`).
fn steering(inner: &tokenizers::Tokenizer) -> Vec<String> {
    let markup = |text: &str| {
        [('<', '>'), ('[', ']')]
            .iter()
            .any(|(open, close)| text.starts_with(*open) && text.ends_with(*close))
    };
    let added = inner.get_added_tokens_decoder();
    let steers = added.values().filter(|token| token.special || markup(&token.content));
    let mut literals: Vec<String> =
        steers.map(|token| token.content.clone()).filter(|text| !text.trim().is_empty()).collect();
    literals.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    literals
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    pub fn parse(json: &[u8]) -> Result<Self> {
        vet(json)?;
        guarded("reading tokenizer.json", || Self::read(json))
    }

    fn read(json: &[u8]) -> Result<Self> {
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(failed)?;
        let mut patterns: Patterns = serde_json::from_slice(json).map_err(failed)?;
        if by_lines(&mut patterns.normalizer) > 0 {
            inner
                .with_normalizer(Some(section::<tokenizers::NormalizerWrapper>(
                    patterns.normalizer,
                )?))
                .map_err(failed)?;
        }
        if by_lines(&mut patterns.pre_tokenizer) > 0 {
            inner.with_pre_tokenizer(Some(section::<tokenizers::PreTokenizerWrapper>(
                patterns.pre_tokenizer,
            )?));
        }
        vet_tokens(&inner)?;
        Self::new(inner)
    }

    fn new(mut inner: tokenizers::Tokenizer) -> Result<Self> {
        _ = inner.with_truncation(None);
        inner.with_padding(None);
        let foreign = CONTROL.iter().any(|token| inner.token_to_id(token).is_none());
        let ends: &[&str] = if foreign { &ENDS } else { &[END] };
        let ends: Vec<u32> =
            ends.iter().find_map(|token| inner.token_to_id(token)).into_iter().collect();
        let opening = if foreign { opening(&inner)? } else { Vec::new() };
        let steering = steering(&inner);
        let ids = steering.iter().filter(|token| !UNKNOWN.contains(&token.as_str()));
        let steering_ids = ids.filter_map(|token| inner.token_to_id(token)).collect();
        let end = ends.first().copied().unwrap_or_default();
        let turns = Err(None);
        let system = None;
        Ok(Self { inner, steering, steering_ids, end, ends, foreign, turns, system, opening })
    }

    /// The same, knowing what the files beside it say. Where nothing says what ends a turn, it is
    /// looked for by name.
    ///
    /// # Errors
    /// For what is said of tokens that it does not have, and where nothing ends a turn.
    pub fn told_by(mut self, said: &Said) -> Result<Self> {
        let id_of = |text: &str| self.inner.token_to_id(text);
        if self.foreign {
            let ends = said.ends(id_of, |id| self.inner.id_to_token(id).is_some())?;
            if !ends.is_empty() {
                self.ends = ends;
            }
            if let Some((begins, bos)) = &said.opening {
                let bos = id_of(bos).ok_or_else(|| {
                    Error::new(format!("tokenizer_config.json: no token `{bos}` in tokenizer.json"))
                })?;
                self.opening = if *begins { vec![bos] } else { Vec::new() };
            }
        }
        self.end = self.ends.first().copied().ok_or_else(|| {
            failed("no token that ends a turn").hint(format!(
                "say which it is in generation_config.json (eos_token_id); where no file says so, \
                 one of {} is looked for",
                ENDS.join(", ")
            ))
        })?;
        self.steering_ids.extend(&self.ends);
        Ok(self)
    }

    /// The same with the chat template of a model that was not made here. One whose turns do not
    /// all look alike, or do not end with a token of [`Self::ends`], is not used, and why is kept.
    #[must_use]
    pub fn speaking(mut self, template: &Template) -> Self {
        if self.foreign {
            let turns = Turns::of(template).and_then(|turns| self.checked(turns));
            self.turns = turns.map_err(|why| Some(why.message().to_string()));
        }
        self
    }

    /// The same with a person's own system message, if there is one.
    ///
    /// # Errors
    /// Where the model is not asked in turns: nobody would ever tell it that.
    pub fn told_first(self, system: Option<String>) -> Result<Self> {
        if system.is_some() && !(self.foreign && self.turns.is_ok()) {
            return Err(Error::new(format!(
                "{SYSTEM}: this model is not asked in turns of a chat template, so that it is told \
                 no such thing"
            ))
            .hint("take the file away; `foretaste minds MODEL` says how it is asked, and why"));
        }
        Ok(Self { system, ..self })
    }

    /// Turns that all end with one of the ends, and between which a text is tokenized as it is alone.
    fn checked(&self, turns: Turns) -> Result<Turns> {
        let first = |between: &str| Ok(self.encode(between)?.first().copied());
        let ends: Vec<Option<u32>> = [&turns.to_assistant, &turns.to_user]
            .map(|text| first(text))
            .into_iter()
            .collect::<Result<_>>()?;
        if ends[0] != ends[1] || !ends[0].is_some_and(|end| self.ends.contains(&end)) {
            return Err(Error::new(format!(
                "the chat template does not end all turns by one token that ends a turn: {:?}, {:?}",
                turns.to_assistant, turns.to_user
            )));
        }
        // A text is the same tokens alone as it is between what stands before and after it.
        let [opening, system, user, answer] =
            [&turns.opening, &turns.after_system, &turns.to_user, &turns.to_assistant];
        for (before, after) in [(opening, system), (system, answer), (user, answer), (answer, user)]
        {
            for text in ["go to desk 1", "You see a desk 1.", "Thought: (no)", "42"] {
                let parts = [before.as_str(), text, after];
                let alone =
                    parts.map(|part| self.encode(part)).into_iter().collect::<Result<Vec<_>>>()?;
                if self.encode(&parts.concat())? != alone.concat() {
                    return Err(Error::new(format!(
                        "the chat template's {before:?} and {after:?} run into the text between them"
                    )));
                }
            }
        }
        Ok(turns)
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
        // The library breaks off on some files (a pattern that backtracks too often).
        guarded("tokenizing a text", || {
            Ok(self.inner.encode_fast(text, false).map_err(failed)?.get_ids().to_vec())
        })
    }

    /// Token ids of text from outside, in which what looks like a control token is just characters.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>> {
        let ids = self.encode(&self.defused(text))?;
        if !ids.iter().any(|id| self.steering_ids.contains(id)) {
            return Ok(ids);
        }
        // The tokenizer itself made one (a normaliser that unites look-alikes, a model that has it
        // as a piece): letter by letter it cannot.
        let letters = text.chars().map(|letter| self.encode(letter.encode_utf8(&mut [0; 4])));
        let ids = letters.collect::<Result<Vec<_>>>()?.concat();
        Ok(ids.into_iter().filter(|id| !self.steering_ids.contains(id)).collect())
    }

    /// A text from outside as it can stand in a larger one that is encoded as a whole: what looks like
    /// a control token is just characters there too.
    ///
    /// # Errors
    /// Where the tokenizer makes a control token of look-alikes.
    pub fn outside(&self, text: &str) -> Result<String> {
        let defused = self.defused(text);
        if self.encode(&defused)?.iter().any(|id| self.steering_ids.contains(id)) {
            return Err(Error::new(
                "what is said holds what the tokenizer makes a control token of",
            ));
        }
        Ok(defused.into_owned())
    }

    /// A text in which a zero-width space keeps each literal apart from the control token that it
    /// looks like.
    fn defused<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let there = |token: &&String| text.contains(token.as_str());
        let mut defused = Cow::Borrowed(text);
        for token in self.steering.iter().filter(there) {
            let first = token.chars().next().map_or(0, char::len_utf8);
            let apart = format!("{}\u{200b}{}", &token[..first], &token[first..]);
            defused = Cow::Owned(defused.replace(token.as_str(), &apart));
        }
        defused
    }

    /// One of our control tokens, where the tokenizer has them.
    pub fn control(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The text of token ids, control tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        guarded("writing out tokens", || self.inner.decode(ids, true).map_err(failed))
    }

    /// The text of token ids, control tokens written out.
    pub fn decode_all(&self, ids: &[u32]) -> Result<String> {
        guarded("writing out tokens", || self.inner.decode(ids, false).map_err(failed))
    }

    /// The file's text.
    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(true).map_err(failed)
    }
}

#[cfg(test)]
#[path = "tokenizer_tests.rs"]
mod tests;
