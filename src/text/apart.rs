//! Where two texts differ, word by word.

use similar::{ChangeTag, TextDiff};

/// Words of one text that are all in the other as well, or all are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The words.
    pub text: String,
    /// Whether only this text has them.
    pub own: bool,
}

/// What was predicted and what really came, in runs of words.
pub fn apart(predicted: &str, actual: &str) -> [Vec<Run>; 2] {
    let old: Vec<&str> = predicted.split_whitespace().collect();
    let new: Vec<&str> = actual.split_whitespace().collect();
    let diff = TextDiff::from_slices(&old, &new);
    [ChangeTag::Delete, ChangeTag::Insert].map(|tag| {
        let mut runs: Vec<Run> = Vec::new();
        for change in diff.iter_all_changes() {
            let own = change.tag() == tag;
            if !own && change.tag() != ChangeTag::Equal {
                continue;
            }
            match runs.last_mut().filter(|run| run.own == own) {
                Some(run) => run.text += &format!(" {}", change.value()),
                None => runs.push(Run { text: change.value().to_string(), own }),
            }
        }
        runs
    })
}

/// The runs as one line, what only this text has between two signs.
pub fn signed(runs: &[Run], [open, close]: [char; 2]) -> String {
    let one = |run: &Run| {
        if run.own { format!("{open}{}{close}", run.text) } else { run.text.clone() }
    };
    runs.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_text_has_is_between_signs() {
        let [left, right] = apart("You see a pot 1.", "You see a red pan 2.");
        assert_eq!(signed(&left, ['[', ']']), "You see a [pot 1.]");
        assert_eq!(signed(&right, ['{', '}']), "You see a {red pan 2.}");
        let [same, _] = apart("a b", "a b");
        assert_eq!(same, [Run { text: "a b".into(), own: false }]);
        assert_eq!(apart("", ""), [vec![], vec![]]);
    }
}
