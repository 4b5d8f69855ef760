//! What a model thinks before it answers, where it stands in the answer itself.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Takes `<think>…</think>` out of a text that comes in pieces of any size.
///
/// A template may have written the opening tag already, so that the text begins in a thought and
/// only closes it. Where the profile says so (`thinks_first`) such a text is not shown while it
/// comes; where it does not, what was shown is taken back at the closing tag: [`Splitter::finish`]
/// is right in both cases.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    text: String,
    thought: String,
    /// What may be the beginning of a tag.
    held: String,
    inside: bool,
    /// It is inside because the profile says so; no tag was seen.
    assumed: bool,
    any: bool,
}

impl Splitter {
    /// Of a text that begins in a thought if `inside`.
    pub fn new(inside: bool) -> Self {
        Self { inside, assumed: inside, ..Self::default() }
    }

    /// Takes the next piece; what of it (and of what was held) belongs to the answer is returned.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let before = self.text.len();
        let mut from = before;
        loop {
            let found = [OPEN, CLOSE].iter().filter_map(|tag| Some((self.held.find(tag)?, *tag)));
            let Some((at, tag)) = found.min() else { break };
            let rest = self.held.split_off(at + tag.len());
            self.held.truncate(at);
            self.release(at);
            self.held = rest;
            if tag == CLOSE && !self.inside {
                // The template had opened it.
                self.thought.push_str(&std::mem::take(&mut self.text));
                from = 0;
            }
            if tag == OPEN && !self.thought.is_empty() {
                // Another thought than the last one stands on a line of its own.
                self.thought.push('\n');
            }
            self.any = true;
            self.assumed = false;
            self.inside = tag == OPEN;
        }
        self.release(self.held.len() - may_begin_a_tag(&self.held));
        self.text.get(from..).unwrap_or_default().to_string()
    }

    /// Gives out `bytes` of what is held.
    fn release(&mut self, bytes: usize) {
        let rest = self.held.split_off(bytes);
        let mut ready = std::mem::replace(&mut self.held, rest);
        if self.inside {
            self.thought.push_str(&ready);
        } else {
            if self.any && self.text.is_empty() {
                ready.drain(..ready.len() - ready.trim_start().len());
            }
            self.text.push_str(&ready);
        }
    }

    /// The answer, and the thought if there is one. `whole` says that the model ended by itself: an
    /// answer that was expected to begin in a thought and never closes it has none.
    pub fn finish(mut self, whole: bool) -> (String, Option<String>) {
        self.release(self.held.len());
        if self.assumed && whole {
            return (self.thought, None);
        }
        let thought = self.thought.trim();
        (self.text, (!thought.is_empty()).then(|| thought.to_string()))
    }
}

/// How many bytes at the end may be the beginning of a tag.
fn may_begin_a_tag(text: &str) -> usize {
    let begins =
        |n: &usize| [OPEN, CLOSE].iter().any(|tag| n < &tag.len() && text.ends_with(&tag[..*n]));
    (1..CLOSE.len()).rev().find(begins).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, piece: usize, inside: bool) -> (String, String, Option<String>) {
        let mut splitter = Splitter::new(inside);
        let characters: Vec<char> = text.chars().collect();
        let shown = characters
            .chunks(piece)
            .map(|piece| splitter.push(&String::from_iter(piece)))
            .collect();
        let (text, thought) = splitter.finish(true);
        (shown, text, thought)
    }

    #[test]
    fn thoughts_are_taken_out_wherever_they_are_cut() {
        for piece in 1..30 {
            let (shown, text, thought) =
                split("<think>\nwhy é\n</think>\n\ngo <b> a < b", piece, false);
            assert_eq!((text.as_str(), thought.as_deref()), ("go <b> a < b", Some("why é")));
            assert_eq!(shown, text, "{piece}");
        }
    }

    #[test]
    fn a_thought_that_the_template_opened() {
        for piece in 1..20 {
            for inside in [false, true] {
                let (shown, text, thought) = split("why</think>go", piece, inside);
                assert_eq!((text.as_str(), thought.as_deref()), ("go", Some("why")));
                if inside {
                    assert_eq!(shown, "go");
                }
            }
        }
    }

    #[test]
    fn what_has_no_thought_stays_as_it_is() {
        assert_eq!(split(" go\n", 2, false).1, " go\n");
        assert_eq!(split("a <think", 3, false).1, "a <think");
        assert_eq!(split("go on", 2, true).1, "go on");
    }

    #[test]
    fn a_thought_that_was_cut_is_a_thought() {
        let mut splitter = Splitter::new(true);
        assert_eq!(splitter.push("so I"), "");
        assert_eq!(splitter.finish(false), (String::new(), Some("so I".into())));
        let mut splitter = Splitter::new(false);
        splitter.push("<think>so I");
        assert_eq!(splitter.finish(true), (String::new(), Some("so I".into())));
    }
}
