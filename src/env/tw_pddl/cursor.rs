//! Reading twl2 text from left to right.

use crate::error::{Error, Result};

/// A place in a text.
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The start of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// What is left.
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Where this is, for errors.
    pub fn line(&self) -> String {
        format!("grammar line {}", self.text[..self.at].matches('\n').count() + 1)
    }

    /// An error about this place.
    pub fn bad(&self, what: &str) -> Error {
        let near: String = self.rest().chars().take(24).collect();
        Error::new(format!("{}: {what}, near `{near}`", self.line()))
    }

    /// Goes past white space.
    pub fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// The original's parser treats white space at the start of a line as a comment between two
    /// pieces.
    pub fn skip_comment_space(&mut self) {
        loop {
            let tabs = self.rest().len() - self.rest().trim_start_matches('\t').len();
            let start = self.at + tabs;
            if start >= self.text.len() || !(start == 0 || self.text.as_bytes()[start - 1] == b'\n')
            {
                self.at = start;
                return;
            }
            let rest = &self.text[start..];
            let skipped = if rest.starts_with("//") {
                rest.find('\n').map_or(rest.len(), |end| end + 1)
            } else {
                rest.len() - rest.trim_start().len()
            };
            if tabs + skipped == 0 {
                return;
            }
            self.at = start + skipped;
        }
    }

    /// Goes past `what` if it stands here.
    pub fn eat(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    /// Goes past `word` if it stands here as a whole word.
    pub fn word(&mut self, word: &str) -> bool {
        let follows = self.rest()[..].strip_prefix(word).and_then(|rest| rest.chars().next());
        follows.is_some_and(|c| !c.is_alphanumeric()) && self.eat(word)
    }

    /// Goes past `what`, which must stand here.
    pub fn expect_here(&mut self, what: &str) -> Result<()> {
        if self.eat(what) { Ok(()) } else { Err(self.bad(&format!("expected `{what}`"))) }
    }

    /// Goes past white space and `what`, which must stand there.
    pub fn expect(&mut self, what: &str) -> Result<()> {
        self.skip_space();
        self.expect_here(what)
    }

    /// Goes past characters that `keep` accepts and returns them.
    pub fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Goes past the next `stop` and returns what stood before it.
    pub fn until(&mut self, stop: char) -> Result<&'a str> {
        let rest = self.rest();
        let end = rest.find(stop).ok_or_else(|| self.bad(&format!("`{stop}` is missing")))?;
        self.at += end + stop.len_utf8();
        Ok(&rest[..end])
    }

    /// A `"…"` string, raw.
    pub fn quoted(&mut self) -> Result<&'a str> {
        self.expect("\"")?;
        self.until('"')
    }

    /// A `"""…"""` string, raw.
    pub fn triple_quoted(&mut self) -> Result<&'a str> {
        self.expect("\"\"\"")?;
        let rest = self.rest();
        let end = rest.find("\"\"\"").ok_or_else(|| self.bad("`\"\"\"` is never closed"))?;
        self.at += end + 3;
        Ok(&rest[..end])
    }
}
