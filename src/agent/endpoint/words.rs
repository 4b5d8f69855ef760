//! How what fails on the line is told.

use super::retry::Failure;
use crate::text::drives;

/// Characters of a text from outside that a person is shown.
const SHOWN: usize = 300;

/// The beginning of a text from outside, on one line, with nothing in it that drives a terminal.
pub(super) fn shown(text: &str) -> String {
    let mut characters = text.trim().chars();
    let mut shown = String::new();
    for c in characters.by_ref().take(SHOWN) {
        if drives(c) || hides(c) {
            shown.extend(c.escape_unicode().filter(|_| !matches!(c, '\n' | '\r' | '\t')));
            match c {
                '\n' => shown.push_str("\\n"),
                '\r' => shown.push_str("\\r"),
                '\t' => shown.push_str("\\t"),
                _ => {}
            }
        } else {
            shown.push(c);
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    if shown.is_empty() { "(nothing)".into() } else { shown }
}

/// What no error of a server needs: letters without width, and tags.
fn hides(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

/// An error and what it was made of, without the URL (which is said already).
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !words.contains(&more) {
            words.push_str(&format!(": {more}"));
        }
        next = source.source();
    }
    words
}

/// What the line did.
pub(super) fn of_line(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let words = chain(&error);
    if error.is_builder() {
        return Failure::lasting(words);
    }
    if words.contains("certificate") {
        return Failure::lasting(words).hint("its certificate is not one that this machine trusts");
    }
    if error.is_connect() {
        return Failure::passing(words).hint("is the server running, and the URL right?");
    }
    if error.is_body() || error.is_decode() {
        return Failure::passing(format!("the answer was cut: {words}"));
    }
    Failure::passing(words)
}

/// What a web page means where an answer should be.
pub(super) fn web_page() -> Failure {
    Failure::lasting("the server answers with a web page")
        .hint("is the URL right? it ends in /v1 mostly")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_is_shown_on_one_line() {
        assert_eq!(shown(" a\n\u{1b}[2J\u{202e}é "), "a\\n\\u{1b}[2J\\u{202e}é");
        assert_eq!(shown(""), "(nothing)");
        assert_eq!(shown(&"é".repeat(400)).chars().count(), SHOWN + 1);
    }
}
