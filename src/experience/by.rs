//! Who acted in an episode, said as it was.

use super::Trajectory;

/// The name under which a person acts, and is the expert.
pub const HUMAN: &str = "human";

/// Whoever it was, as one says it to the person at the keyboard.
pub fn called(source: &str) -> &str {
    if source == HUMAN { "you" } else { source }
}

impl Trajectory {
    /// Who acted, in words: one name, or who acted in how many of the steps.
    pub fn by(&self) -> String {
        let mut shares: Vec<(&str, usize)> = Vec::new();
        for step in &self.steps {
            match shares.iter_mut().find(|(source, _)| *source == step.source) {
                Some((_, count)) => *count += 1,
                None => shares.push((&step.source, 1)),
            }
        }
        by(&self.actor, shares)
    }
}

/// The same, of an actor and how many steps each source chose, in order of appearance.
pub fn by(actor: &str, mut shares: Vec<(&str, usize)>) -> String {
    shares.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    match shares[..] {
        // Whose hand was at the keys says less than who chose every step.
        [(one, _)] if actor == HUMAN => called(one).to_string(),
        [] | [_] => called(actor).to_string(),
        [(first, count), ref others @ ..] => {
            let all: usize = shares.iter().map(|(_, count)| count).sum();
            let others = others.iter().map(|(who, count)| format!(", {} {count}", called(who)));
            format!("{} {count} of {all} steps{}", called(first), others.collect::<String>())
        }
    }
}

#[cfg(test)]
#[path = "by_tests.rs"]
mod tests;
