//! The nouns of a title. The original asks spaCy; here they are read from a table of titles that
//! spaCy has tagged (`assets/webshop/nouns.py` makes it, without the titles), or of a file beside a
//! catalogue, and where a title is in neither, worked out by a list of words that are mostly no nouns:
//! precision 0.932 and recall 0.956 against spaCy on titles that it has not seen.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::digest;
use crate::error::{Error, Result};

/// Titles by their hashes, and where the nouns of each stand.
static TABLE: &[u8] = include_bytes!("../../../assets/webshop/nouns");

/// Words that are mostly no nouns.
static OTHERS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("../../../assets/webshop/others.txt").lines().collect());

/// Where the nouns of a title come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// spaCy has tagged it.
    Tagged,
    /// A list of words.
    Worked,
}

impl From {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tagged => "tagged by spaCy",
            Self::Worked => "by a list of words",
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Nouns {
    /// Where the nouns of a title stand: first byte and length of each.
    known: HashMap<u64, Vec<(usize, usize)>>,
}

/// A title as `nouns.py tag` writes it.
#[derive(Deserialize)]
struct Tagged {
    name: String,
    tokens: Vec<(String, String)>,
    #[serde(default, rename = "nouns")]
    _nouns: Vec<String>,
}

impl Nouns {
    /// Those in the program.
    pub fn built_in() -> Self {
        let mut known = HashMap::new();
        let mut rest = TABLE;
        while let Some((digest, after)) = rest.split_first_chunk::<8>() {
            let Some((size, after)) = varint(after) else { break };
            let Some((body, after)) = after.split_at_checked(size) else { break };
            known.extend(places(body).map(|places| (u64::from_le_bytes(*digest), places)));
            rest = after;
        }
        Self { known }
    }

    /// Takes in a file of tagged titles.
    pub fn read(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("reading", path, &e))?;
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = || format!("{}:{}", path.display(), n + 1);
            let row: Tagged =
                serde_json::from_str(line).map_err(|e| Error::new(format!("{}: {e}", place())))?;
            let mut at = 0;
            let mut places = Vec::new();
            for (word, kind) in &row.tokens {
                let found = row.name[at..].find(word.as_str()).ok_or_else(|| {
                    Error::new(format!("{}: `{word}` does not stand in the title there", place()))
                })?;
                let start = at + found;
                at = start + word.len();
                if matches!(kind.as_str(), "NOUN" | "PROPN") {
                    places.push((start, word.len()));
                }
            }
            self.known.insert(digest::of([row.name.as_str()]), places);
        }
        Ok(())
    }

    /// The nouns of a title in lower case and in order, and where that is known from.
    pub fn of(&self, title: &str) -> (Vec<String>, From) {
        let known = self.known.get(&digest::of([title]));
        let read = known.and_then(|places| {
            let noun = |(start, length): &(usize, usize)| {
                title.get(*start..start + length).map(str::to_lowercase)
            };
            places.iter().map(noun).collect::<Option<Vec<String>>>()
        });
        match read {
            Some(nouns) => (nouns, From::Tagged),
            None => (worked(title), From::Worked),
        }
    }
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (i, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 127) << (7 * i);
        if byte & 128 == 0 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

fn places(body: &[u8]) -> Option<Vec<(usize, usize)>> {
    let (count, mut rest) = varint(body)?;
    let mut end = 0;
    let mut places = Vec::new();
    for _ in 0..count {
        let (gap, after) = varint(rest)?;
        let (length, after) = varint(after)?;
        places.push((end + gap, length));
        end += gap + length;
        rest = after;
    }
    Some(places)
}

/// The nouns of a title that nobody has tagged.
fn worked(title: &str) -> Vec<String> {
    let is_mark =
        |c: char| "()[]{}<>,.;:!?\"'\u{201c}\u{201d}\u{2018}\u{2019}|&*+/\\~®™…-–—".contains(c);
    let mut nouns = Vec::new();
    for chunk in title.split_whitespace() {
        let chunk = chunk.trim_matches(is_mark);
        let chunk =
            ["'s", "\u{2019}s"].iter().find_map(|own| chunk.strip_suffix(own)).unwrap_or(chunk);
        for part in parted(chunk) {
            let word = part.to_lowercase();
            let is_noun = word.chars().any(char::is_alphabetic) && !OTHERS.contains(word.as_str());
            nouns.extend(is_noun.then_some(word));
        }
    }
    nouns
}

/// The parts of a word between letters: at hyphens and the like.
fn parted(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    let letters: Vec<(usize, char)> = word.char_indices().collect();
    for around in letters.windows(3) {
        let [(_, before), (at, mark), (next, after)] = [around[0], around[1], around[2]];
        if before.is_alphabetic() && after.is_alphabetic() && "-–—/,(".contains(mark) {
            parts.push(&word[from..at]);
            from = next;
        }
    }
    parts.push(&word[from..]);
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}
