//! What a mind is asked that writes a new text, and its answer.

use super::Scored;

/// Asks for a better text, from what came of this one.
pub(super) fn request(text: &str, lessons: &[Scored]) -> String {
    let mut asked = format!(
        "An assistant was given these instructions:\n```\n{text}\n```\n\nBelow is what it was asked with them, what it \
         did, and what is to be said about that.\n"
    );
    for (i, lesson) in lessons.iter().enumerate() {
        asked += &format!(
            "\n## Example {}\n### Given\n{}\n### Done\n{}\n### Feedback\n{}\n",
            i + 1,
            lesson.input,
            lesson.output,
            lesson.feedback
        );
    }
    asked
        + "\nWrite new instructions for the assistant. Keep what works. Put in what the feedback teaches that it could not know: \
           facts about this task, which actions are understood and in which form, what to do in which order, what to \
           avoid. Do not solve these examples; the instructions are for others like them. Answer with the new \
           instructions alone, between ``` and ```."
}

/// The text of an answer: what stands in its last fence, or all of it.
pub(super) fn text_of(answer: &str) -> String {
    let answer = answer.trim();
    let Some(open) = answer.find("```") else { return answer.to_string() };
    let inside = &answer[open + 3..];
    let close = inside.rfind("```").unwrap_or(inside.len());
    let inside = &inside[..close];
    // A fence may say a language.
    let text = match inside.split_once('\n') {
        Some((word, rest)) if !word.trim().contains(' ') && word.trim().len() < 12 => rest,
        _ => inside,
    };
    text.trim().to_string()
}
