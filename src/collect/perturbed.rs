//! Alternatives where the expert wrote free text, which no list has: its own words with some left
//! out, and what the task says.

use crate::env::Form;
use crate::text::singular;

/// So many at most of one text.
const MOST: usize = 8;

/// A task has at most so many words to be sent as they are.
const LONGEST: usize = 24;

/// What else could have been written in place of an action that is of a form of free text; nothing
/// where the list has the action, or the form takes no words.
pub(super) fn perturbed(
    action: &str,
    listed: &[String],
    forms: &[Form],
    task: &str,
) -> Vec<String> {
    let action = action.trim();
    if listed.iter().any(|known| known.trim() == action) {
        return Vec::new();
    }
    let Some((before, inner, after)) = forms.iter().find_map(|form| parts(form, action)) else {
        return Vec::new();
    };
    let words: Vec<&str> = inner.split_whitespace().collect();
    let mut texts: Vec<String> = Vec::new();
    if words.len() > 2 {
        let half = words.len().div_ceil(2);
        texts.push(words[..half].join(" "));
        texts.push(words[half..].join(" "));
    }
    if words.len() > 1 {
        texts.extend(
            (0..words.len()).map(|out| [&words[..out], &words[out + 1..]].concat().join(" ")),
        );
    }
    if let [word] = words[..] {
        texts.push(singular(word));
    }
    let asked: Vec<&str> = task.trim_end_matches('.').split_whitespace().collect();
    if (1..=LONGEST).contains(&asked.len()) {
        texts.push(asked.join(" "));
    }
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        let written = format!("{before}{text}{after}");
        let is_new = written != action && !found.contains(&written);
        if is_new && forms.iter().any(|form| form.admits(&written)) && found.len() < MOST {
            found.push(written);
        }
    }
    found
}

/// The words of an action with what stands around them, by a form that it is of; nothing of a schema,
/// whose words have a meaning each.
fn parts<'a>(form: &'a Form, action: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, after) = form.as_str().split_once('…')?;
    let inner = action.strip_prefix(before)?.strip_suffix(after)?;
    (!form.as_str().starts_with('{') && form.admits(action)).then_some((before, inner, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_has_others_beside_it_and_what_is_listed_has_none() {
        let forms = [Form::new("search[…]")];
        let found = perturbed("search[red wool scarf]", &[], &forms, "buy a red wool scarf.");
        assert_eq!(
            found,
            [
                "search[red wool]",
                "search[scarf]",
                "search[wool scarf]",
                "search[red scarf]",
                "search[buy a red wool scarf]",
            ]
        );
        assert_eq!(perturbed("search[cups]", &[], &forms, ""), ["search[cup]"]);
        let listed = ["search[cups]".to_string()];
        assert!(perturbed("search[cups]", &listed, &forms, "x").is_empty());
        let spaced = perturbed(" search[red scarf] ", &[], &forms, "");
        assert_eq!(spaced, ["search[scarf]", "search[red]"]);
        let guillemet = perturbed("a красный шарф» ", &[], &[Form::new("…»")], "");
        assert!(guillemet.iter().all(|action| action.ends_with('»')), "{guillemet:?}");
        assert!(perturbed("click[cups]", &[], &forms, "x").is_empty());
        assert!(perturbed("{\"name\": \"x\"}", &[], &[Form::new("{}")], "x").is_empty());
    }
}
