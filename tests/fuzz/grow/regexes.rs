//! Regular expressions.

use super::choices::Choices;

/// An expression, nested at most so deep; most are of the syntax that tokenizers use.
pub fn regex(c: &mut Choices<'_>, deep: usize) -> String {
    const ATOMS: [&str; 16] = [
        "a", ".", r"\s", r"\S", r"\w", r"\d", "[a-z]", "[^a]", r"\p{L}", r"\p{N}", "(?i:a)",
        r"(?=a)", r"(?!\S)", r"\b", "^", "$",
    ];
    if deep == 0 || !c.spend() {
        return c.pick(&ATOMS).to_string();
    }
    match c.below(10) {
        0..=2 => c.pick(&ATOMS).to_string(),
        3 => format!("{}{}", regex(c, deep - 1), regex(c, deep - 1)),
        4 => format!("(?:{}|{})", regex(c, deep - 1), regex(c, deep - 1)),
        5 => format!(
            "({}){}",
            regex(c, deep - 1),
            c.pick(&["+", "*", "?", "{1,1000}", "{2}", "+?", "{0,100000}"])
        ),
        6 => {
            let inner = regex(c, deep - 1);
            let times = c.depth(40);
            format!("{}{inner}{}b", "(".repeat(times), ")+".repeat(times))
        }
        7 => c
            .pick(&[
                "(a+)+b",
                "(a|a)*$",
                "(.*)*x",
                r"(a)\1+",
                "((",
                "[",
                "a{99999999}",
                r"\",
                "(?<n>a)\\g<n>",
                "",
            ])
            .to_string(),
        8 => regex(c, deep - 1).repeat(c.many(200).max(1)),
        _ => r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++|\s+"
            .into(),
    }
}
