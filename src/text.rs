//! The one door for text that this program did not write: what the screens show, what the commands
//! print, what goes to a clipboard, a log or a page has passed [`clean`] or [`json`].
//!
//! A terminal obeys control characters (C0, and C1 in 8-bit mode), and the marks for writing
//! direction let a line say something else than its bytes. Neither is ever sent; both are shown as
//! what they are.

mod apart;

use std::fmt::Write;

use unicode_segmentation::UnicodeSegmentation;

pub use apart::{Run, apart, signed};

/// Whether a character drives a terminal, turns the direction of text, or hides in it.
pub fn drives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        // Not seen by a person, and read by a model: tags and annotations.
        || matches!(c, '\u{e0001}' | '\u{e0020}'..='\u{e007f}' | '\u{fff9}'..='\u{fffb}')
}

/// A cluster of more characters than this (a letter and its marks, people joined to a family) is
/// cut: it is one cell, and a terminal is sent all of it. The longest that Unicode recommends has
/// ten.
const CLUSTER: usize = 12;

/// Text from an environment, a model, a file or another program, unable to drive the terminal:
/// lines stay, a tab is a space, control characters and marks of direction are shown (`␛`, `·`),
/// not sent.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let plain = |c| match c {
        '\n' => '\n',
        '\t' => ' ',
        '\u{1b}' => '␛',
        c if drives(c) => '·',
        c => c,
    };
    if text.is_ascii() {
        out.extend(text.chars().map(plain));
    } else {
        out.extend(
            text.graphemes(true).flat_map(|cluster| cluster.chars().take(CLUSTER)).map(plain),
        );
    }
    out
}

/// What stands on a button of a shop's page (`[button] Buy Now [button_]`), and whether it was clicked;
/// none of any other line.
pub fn button(line: &str) -> Option<(&str, bool)> {
    let line = line.trim();
    let of = |open: &str, close: &str| line.strip_prefix(open)?.strip_suffix(close);
    of("[button] ", " [button_]")
        .map(|name| (name, false))
        .or_else(|| of("[clicked button] ", " [clicked button_]").map(|name| (name, true)))
}

/// JSON on one line that means what it meant, with all that [`clean`] would replace written as
/// `\uXXXX`.
pub fn json(value: &serde_json::Value) -> String {
    escaped(&value.to_string())
}

/// The same of JSON that is text already: outside of its strings there is nothing to replace.
pub fn escaped(json: &str) -> String {
    if !json.chars().any(drives) {
        return json.to_string();
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if drives(c) {
            _ = write!(out, "\\u{:04x}", c as u32);
        } else {
            out.push(c);
        }
    }
    out
}

/// So many of something: `1 game`, `2 games`.
pub fn counted(n: u64, one: &str) -> String {
    if n == 1 {
        return format!("{n} {one}");
    }
    // A trajectory, a process; a day and a key are as they are.
    let vowel = |c: char| "aeiou".contains(c);
    match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(vowel) => format!("{n} {stem}ies"),
        _ if one.ends_with(['s', 'x']) || one.ends_with("ch") => format!("{n} {one}es"),
        _ => format!("{n} {one}s"),
    }
}

/// Whether a text is a plain name, as a file or a key may have: letters, digits, dashes.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// A word as a shell takes it for one.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:,=@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The words of a line as a shell takes them apart, by blanks, quotes and backslashes; none where a
/// quote is not closed.
pub fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(chars.next()?),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// A share in seven cells; what is not nothing is never shown as 0.
pub fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.0005 {
        " <0.1 %".into()
    } else {
        format!("{:>5.1} %", 100.0 * share)
    }
}

/// The number of the line that a byte of a text stands on, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// More than one of a thing: "mugs", "boxes", "knives".
pub fn plural(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("knife") {
        return format!("{stem}knives");
    }
    let sibilant = ["s", "x", "z", "ch", "sh"].iter().any(|end| name.ends_with(end));
    if sibilant || name.ends_with("potato") || name.ends_with("tomato") {
        return format!("{name}es");
    }
    format!("{name}s")
}

/// One of "mugs", "boxes", "knives".
pub fn singular(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("ves") {
        return format!("{stem}fe");
    }
    match name
        .strip_suffix("es")
        .filter(|stem| stem.ends_with(['s', 'x', 'h']) || stem.ends_with("to"))
    {
        Some(stem) => stem.into(),
        None => name.strip_suffix('s').unwrap_or(name).into(),
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
