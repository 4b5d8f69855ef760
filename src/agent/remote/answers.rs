//! What an answer in text says: the action, or the thought, without what models write around it.

/// The action of an answer: what stands between the last `<action>` and its end; where there are no
/// such tags, the first line that says anything, without quotation marks.
pub(super) fn action_in(text: &str) -> String {
    if let Some((_, after)) = text.rsplit_once("<action>") {
        let action = after.split("</action>").next().unwrap_or_default();
        return action.trim().to_string();
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = lines.map(|line| line.strip_prefix("Action:").unwrap_or(line).trim());
    let first = said.into_iter().find(|line| !line.starts_with("```")).unwrap_or_default();
    first.trim_matches(['`', '"', '\'', '*']).trim_start_matches("> ").trim().to_string()
}

/// A thought or a reflection: the text without the tags that a model puts around one, and without
/// an action that it adds.
pub(super) fn thought_in(text: &str) -> String {
    let text = text.split("<action>").next().unwrap_or_default().trim();
    let text = text.strip_prefix("<think>").unwrap_or(text);
    let text = text.strip_suffix("</think>").unwrap_or(text).trim();
    text.strip_prefix("Thought:").unwrap_or(text).trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_found_in_what_models_write() {
        for (text, action) in [
            ("<think>a</think><action>go to desk 1</action>", "go to desk 1"),
            ("<action> look </action> because", "look"),
            ("<action>open drawer 2", "open drawer 2"),
            ("first <action>a</action> then <action>b</action>", "b"),
            ("\nAction: go north\nI hope.", "go north"),
            ("`look`", "look"),
            ("\"take mug 1 from desk 1\"", "take mug 1 from desk 1"),
            ("```\nlook\n```", "look"),
            ("> look", "look"),
            ("", ""),
        ] {
            assert_eq!(action_in(text), action, "{text:?}");
        }
    }

    #[test]
    fn a_thought_is_the_text_alone() {
        for (text, thought) in [
            ("<think>It is near.</think>\n<action>go</action>", "It is near."),
            ("Thought: It is near.", "It is near."),
            ("It is near.", "It is near."),
        ] {
            assert_eq!(thought_in(text), thought);
        }
    }
}
