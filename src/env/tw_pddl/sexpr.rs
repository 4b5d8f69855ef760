//! S-expressions, the surface syntax of PDDL.
//!
//! Everything is lower-cased, as Fast Downward does; `;` starts a comment that ends with its line.

use crate::budget::work;
use crate::error::{Error, Result};

/// Deeper nesting than this is refused: no real domain comes near it, and the reader recurses once
/// per level.
const MAX_DEPTH: usize = 64;

/// A longer name is refused: real ones have some 70 bytes, and they are copied for each place that
/// knows them.
const MAX_WORD: usize = 512;

/// One node, with the line it starts on (counted from 1) for error messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sexpr {
    /// The line the node starts on.
    pub line: usize,
    /// A word or a list.
    pub node: Node,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A lower-cased word.
    Word(String),
    /// A parenthesised list.
    List(Vec<Sexpr>),
}

impl Sexpr {
    /// Reads exactly one expression and refuses anything after it.
    pub fn parse(text: &str) -> Result<Self> {
        let mut stack: Vec<(usize, Vec<Self>)> = Vec::new();
        let mut done: Option<Self> = None;
        for (number, line) in text.lines().enumerate() {
            let line_number = number + 1;
            let code = line.split(';').next().unwrap_or_default();
            for token in tokens(code) {
                work(1).map_err(|e| e.at(format_args!("line {line_number}")))?;
                if done.is_some() {
                    return Err(Error::new(format!(
                        "line {line_number}: `{token}` stands after the closing parenthesis"
                    )));
                }
                let closed = match token {
                    "(" => {
                        if stack.len() == MAX_DEPTH {
                            return Err(Error::new(format!(
                                "line {line_number}: nested deeper than {MAX_DEPTH} lists"
                            )));
                        }
                        stack.push((line_number, Vec::new()));
                        continue;
                    }
                    ")" => match stack.pop() {
                        Some((line, items)) => Self { line, node: Node::List(items) },
                        None => {
                            return Err(Error::new(format!(
                                "line {line_number}: `)` without its `(`"
                            )));
                        }
                    },
                    word if word.len() > MAX_WORD => {
                        return Err(Error::new(format!(
                            "line {line_number}: a word of {} bytes",
                            word.len()
                        ))
                        .hint(format!("names have at most {MAX_WORD} bytes")));
                    }
                    word => Self { line: line_number, node: Node::Word(word.to_lowercase()) },
                };
                match stack.last_mut() {
                    Some((_, items)) => items.push(closed),
                    None => done = Some(closed),
                }
            }
        }
        match (done, stack.last()) {
            (_, Some((line, _))) => {
                Err(Error::new(format!("line {line}: this `(` is never closed")))
            }
            (Some(expr), None) => Ok(expr),
            (None, None) => Err(Error::new("empty: there is no expression here")),
        }
    }

    /// The items of a list; an error naming `what` was expected otherwise.
    pub fn list(&self, what: &str) -> Result<&[Self]> {
        match &self.node {
            Node::List(items) => Ok(items),
            Node::Word(word) => {
                Err(Error::new(format!("line {}: expected {what}, found `{word}`", self.line)))
            }
        }
    }

    /// The word; an error naming `what` was expected otherwise.
    pub fn word(&self, what: &str) -> Result<&str> {
        match &self.node {
            Node::Word(word) => Ok(word),
            Node::List(_) => {
                Err(Error::new(format!("line {}: expected {what}, found a list", self.line)))
            }
        }
    }

    /// The first word of a list, if it is a list that starts with one.
    pub fn head(&self) -> Option<&str> {
        match &self.node {
            Node::List(items) => match items.first().map(|first| &first.node) {
                Some(Node::Word(word)) => Some(word),
                _ => None,
            },
            Node::Word(_) => None,
        }
    }
}

impl std::fmt::Display for Sexpr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.node {
            Node::Word(word) => f.write_str(word),
            Node::List(items) => {
                f.write_str("(")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str(")")
            }
        }
    }
}

fn tokens(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let end = if matches!(first, '(' | ')') {
            1
        } else {
            rest.find(|c: char| c.is_whitespace() || c == '(' || c == ')').unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at(end);
        rest = after;
        Some(token)
    })
}

#[cfg(test)]
#[path = "sexpr_tests.rs"]
mod tests;
