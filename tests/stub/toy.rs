//! A language model of which every figure is known: the next token depends on the last one only.
//!
//! Tokens are the bytes of ASCII and the word "go", which is always one token.

/// The token of "go".
pub(crate) const GO: u32 = 300;
/// What every text begins with.
pub(crate) const BOS: u32 = 256;

/// A text as tokens.
pub(crate) fn tokenize(text: &str, special: bool) -> Vec<u32> {
    let mut tokens = if special { vec![BOS] } else { Vec::new() };
    let mut rest = text.as_bytes();
    while let Some(byte) = rest.first() {
        if rest.starts_with(b"go") {
            tokens.push(GO);
            rest = &rest[2..];
        } else {
            tokens.push(u32::from(*byte));
            rest = &rest[1..];
        }
    }
    tokens
}

/// A token as text.
pub(crate) fn text_of(token: u32) -> String {
    match token {
        GO => "go".into(),
        BOS => "<s>".into(),
        byte => char::from(byte as u8).to_string(),
    }
}

fn vocabulary() -> impl Iterator<Item = u32> {
    (32..127).chain([u32::from(b'\n'), GO])
}

fn weight(last: u32, next: u32) -> f64 {
    let letter = if next < 128 && (next as u8).is_ascii_uppercase() { 1.0 } else { 0.0 };
    f64::from((last * 31 + next * 17 + next * next) % 23) / 7.0 + letter
}

/// Natural logarithm of the probability of a token after another.
pub(crate) fn logp(last: u32, next: u32) -> f64 {
    let sum: f64 = vocabulary().map(|token| weight(last, token).exp()).sum();
    weight(last, next) - sum.ln()
}

/// The log-probability of a text after another, both as tokens of their own.
pub(crate) fn score(prefix: &str, continuation: &str) -> f64 {
    let before = tokenize(prefix, true);
    let mut last = *before.last().expect("there is one");
    let mut sum = 0.0;
    for token in tokenize(continuation, false) {
        sum += logp(last, token);
        last = token;
    }
    sum
}

/// The likeliest tokens, the best first.
pub(crate) fn top(last: u32, n: usize) -> Vec<(u32, f64)> {
    let mut all: Vec<(u32, f64)> = vocabulary().map(|token| (token, logp(last, token))).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(n);
    all
}
