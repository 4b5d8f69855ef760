//! What a `tokenizer.json` asks for, looked at before it is used. The library that carries it out
//! has no limit of its own: it multiplies a text as often as the file says, and its regular
//! expressions backtrack.

use serde_json::Value;

use crate::error::{Error, Result};

/// A text may become so many times as long: real tokenizers write a space as three bytes, and
/// compose or take apart letters.
const GROWTH: f64 = 64.0;

/// A template may have so many pieces: real ones have three or four.
const PIECES: usize = 64;

/// A normalizer and its like may be made of so many parts.
const COMPONENTS: usize = 256;

/// A text put before every other may have so many bytes.
const PREPENDED: usize = 64;

/// Refuses by name what would multiply a text, or would try a pattern in more ways than can be
/// waited for.
pub fn vet(json: &[u8]) -> Result<()> {
    // The library says what is wrong.
    let Ok(file) = serde_json::from_slice::<Value>(json) else { return Ok(()) };
    for part in ["normalizer", "pre_tokenizer", "decoder", "post_processor"] {
        if components(&file[part]) > COMPONENTS {
            return Err(Error::new(format!(
                "tokenizer.json: {part} has more than {COMPONENTS} components"
            ))
            .hint("each goes through the whole text; real tokenizers have a few"));
        }
        let grown =
            growth(&file[part]).map_err(|error| error.at(format!("tokenizer.json: {part}")))?;
        if grown > GROWTH {
            return Err(Error::new(format!(
                "tokenizer.json: {part} makes a text up to {grown:.0} times as long"
            ))
            .hint(format!(
                "at most {GROWTH} times is taken; use the tokenizer.json that the model was \
                 trained with"
            )));
        }
    }
    Ok(())
}

/// How many components there are in one, itself included.
fn components(part: &Value) -> usize {
    match part {
        Value::Object(fields) => 1 + fields.values().map(components).sum::<usize>(),
        Value::Array(parts) => parts.iter().map(components).sum(),
        _ => 0,
    }
}

/// How many times as long a text may become by a component and by all those in it, one after the
/// other.
fn growth(part: &Value) -> Result<f64> {
    let mut grown = 1.0;
    match part {
        Value::Object(fields) => {
            let pattern = part["pattern"]["String"].as_str().or_else(|| part["pattern"].as_str());
            let regex = part["pattern"]["Regex"].as_str();
            if pattern == Some("") {
                return Err(Error::new("an empty pattern, which stands everywhere in a text"));
            }
            if let Some(regex) = regex {
                check(regex)?;
                if part["type"] == "Replace" {
                    replaces_something(regex)?;
                }
            }
            // The library joins a template's pieces, and the tokens of each, one by one, each time
            // all over again.
            if part["type"] == "TemplateProcessing" {
                let lists = ["single", "pair"]
                    .iter()
                    .filter_map(|name| part[name].as_array())
                    .map(Vec::len);
                let special = part["special_tokens"]
                    .as_object()
                    .into_iter()
                    .flat_map(serde_json::Map::values);
                let ids = special.filter_map(|token| token["ids"].as_array()).map(Vec::len);
                if lists.chain(ids).any(|count| count > PIECES) {
                    return Err(Error::new(format!("a template of more than {PIECES} pieces")));
                }
            }
            if let Some(text) = part["prepend"].as_str().filter(|text| text.len() > PREPENDED) {
                return Err(Error::new(format!(
                    "a text of {} bytes before every other",
                    text.len()
                ))
                .hint(format!(
                    "at most {PREPENDED} are taken; real tokenizers put a space there"
                )));
            }
            // Each byte above 127 becomes a letter of two bytes, of which each becomes one again
            // the next time.
            grown *= match part["type"].as_str() {
                // Prepending copies the whole text.
                Some("ByteLevel" | "Prepend") => 2.0,
                Some("Metaspace") => 3.0,
                _ => 1.0,
            };
            if part["type"] == "Replace"
                && let Some(content) = part["content"].as_str()
            {
                let least = pattern.map_or(1, str::len);
                grown *= (content.len() as f64 / least as f64).max(1.0);
            }
            for (name, value) in
                fields.iter().filter(|(name, _)| *name != "pattern" && *name != "content")
            {
                grown *= growth(value)
                    .map_err(|error| if name == "type" { error } else { error.at(name) })?;
            }
        }
        Value::Array(parts) => {
            for value in parts {
                grown *= growth(value)?;
            }
        }
        _ => {}
    }
    Ok(grown)
}

/// Refuses a pattern that matches without a letter: what it is replaced by would stand everywhere
/// in a text.
fn replaces_something(pattern: &str) -> Result<()> {
    let parsed = regex_syntax::parse(pattern).map_err(|_| {
        Error::new(format!("the pattern {pattern:?} looks around, and cannot be vetted"))
            .hint("looking around is taken where a text is split, and not where it is replaced")
    })?;
    if parsed.properties().minimum_len().unwrap_or_default() == 0 {
        return Err(Error::new(format!(
            "the pattern {pattern:?} matches an empty text, which stands everywhere"
        )));
    }
    Ok(())
}

/// Refuses a pattern in which something that repeats stands in something that repeats: `(a+)+`
/// tries a text of n letters in 2^n ways before it gives up.
fn check(pattern: &str) -> Result<()> {
    // Whether each open group holds something that repeats.
    let mut groups = vec![false];
    let mut chars = pattern.chars().peekable();
    // Whether what was just read repeats within itself; none after what cannot be repeated.
    let mut last = None;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
                last = Some(false);
            }
            '[' => {
                class(&mut chars);
                last = Some(false);
            }
            '(' => {
                groups.push(false);
                last = None;
            }
            ')' => {
                let inner = groups.pop().unwrap_or_default();
                if groups.is_empty() {
                    groups.push(false);
                }
                if let Some(outer) = groups.last_mut() {
                    *outer |= inner;
                }
                last = Some(inner);
            }
            '*' | '+' | '{' => {
                let open = c != '{' || repeats(&mut chars);
                // A mark after a mark (`+?`, `++`) says how the first one repeats.
                if let (true, Some(inner)) = (open, last) {
                    if inner {
                        return Err(Error::new(format!(
                            "the pattern {pattern:?} repeats something that repeats"
                        ))
                        .hint(
                            "such a pattern may take longer than anybody waits; no known tokenizer \
                             has one",
                        ));
                    }
                    if let Some(group) = groups.last_mut() {
                        *group = true;
                    }
                    last = None;
                }
            }
            '|' | '^' | '$' => last = None,
            '?' => {}
            _ => last = Some(false),
        }
    }
    Ok(())
}

/// Goes past a character class.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut depth = 1;
    // A bracket right after the first stands for itself.
    chars.next_if_eq(&'^');
    chars.next_if_eq(&']');
    while let Some(c) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// Goes past `{n,m}`; whether it may repeat more than a few times.
fn repeats(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let mut text = String::new();
    for c in chars.by_ref() {
        if c == '}' {
            break;
        }
        text.push(c);
    }
    let most = text.split_once(',').map_or(text.as_str(), |(_, most)| most).trim();
    most.is_empty() || most.parse::<usize>().is_ok_and(|most| most > 8)
}

#[cfg(test)]
#[path = "vetting_tests.rs"]
mod tests;
