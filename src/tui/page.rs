//! A page of a shop (`[button] Buy Now [button_]`, as `text_rich` has it) for a person: what can be
//! clicked in brackets, what is chosen with a star, a choice in one line, a product in two. Any other
//! text stays as it is. What a model is given is never changed by this.

use std::borrow::Cow;

use crate::text::button;

/// Choices of one kind that are shown; the chosen ones are, and of the others the first.
const SHOWN: usize = 12;

/// Whether a text is such a page.
pub fn is_page(text: &str) -> bool {
    text.lines().any(|line| button(line).is_some())
}

/// The page as it is read; with what the customer says, or without.
fn read(text: &str, instruction: bool) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut lines = text.lines().map(str::trim_end).peekable();
    let is_results = text.contains("(Total results:");
    while let Some(line) = lines.next() {
        if line.trim() == "Instruction:" {
            // What is said stands below it, up to the first button.
            while let Some(said) = lines.next_if(|next| button(next).is_none()) {
                if instruction && !said.trim().is_empty() {
                    out.push(said.trim().to_string());
                }
            }
        } else if let Some((name, clicked)) = button(line) {
            let mark = if clicked { "*" } else { "" };
            let shown = format!("[{mark}{name}]");
            // Its title stands below it, and its price below that.
            let mut ahead = lines.clone().map(|next| (next, button(next).is_some()));
            let is_product = is_results
                && matches!(ahead.next(), Some((title, false)) if !title.is_empty())
                && matches!(ahead.next(), Some((price, false)) if price.starts_with('$'));
            if is_product {
                let title = lines.next().unwrap_or_default();
                let price = lines.next_if(|next| next.starts_with('$')).unwrap_or_default();
                out.push(format!("{shown} {price}"));
                out.push(format!("  {title}"));
            } else {
                // Buttons that follow each other stand side by side.
                match out.last_mut().filter(|last| last.starts_with('[') && !is_results) {
                    Some(last) => last.push_str(&format!(" {shown}")),
                    None => out.push(shown),
                }
            }
        } else if lines.peek().is_some_and(|next| next.starts_with(' ') && button(next).is_some()) {
            let mut all = Vec::new();
            while let Some((name, chosen)) =
                lines.peek().filter(|next| next.starts_with(' ')).and_then(|next| button(next))
            {
                all.push((name, chosen));
                lines.next();
            }
            out.push(format!("{}: {}", line.trim(), folded(&all)));
        } else if !line.trim().is_empty() {
            out.push(line.to_string());
        }
    }
    out.join("\n")
}

/// Choices side by side: of many the chosen ones, and the first others.
fn folded(all: &[(&str, bool)]) -> String {
    let mut left = SHOWN.saturating_sub(all.iter().filter(|(_, chosen)| *chosen).count());
    let mut shown = Vec::new();
    for (name, chosen) in all {
        if *chosen {
            shown.push(format!("[*{name}]"));
        } else if left > 0 {
            left -= 1;
            shown.push(format!("[{name}]"));
        }
    }
    let more = all.len() - shown.len();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(" ")
}

/// A text as a person reads it.
pub fn whole(text: &str) -> Cow<'_, str> {
    if is_page(text) { Cow::Owned(read(text, true)) } else { Cow::Borrowed(text) }
}

/// The same without what the customer says, which every page repeats.
pub fn brief(text: &str) -> Cow<'_, str> {
    if is_page(text) { Cow::Owned(read(text, false)) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_a_page_and_other_text_stays() {
        let page = "You have clicked white.\nInstruction:\nbuy a lamp\n[button] Back to Search [button_]\n\
                    [button] < Prev [button_]\ncolor\n  [button] black [button_]\n  \
                    [clicked button] white [clicked button_]\nA Lamp\nPrice: $60.99\n\
                    [button] Features [button_]\n[button] Buy Now [button_]\n";
        assert_eq!(
            whole(page),
            "You have clicked white.\nbuy a lamp\n[Back to Search] [< Prev]\ncolor: [black] [*white]\nA Lamp\n\
             Price: $60.99\n[Features] [Buy Now]"
        );
        assert!(!brief(page).contains("buy a lamp"));
        let results = "Instruction:\nbuy a lamp\n[button] Back to Search [button_]\n\
                       Page 1 (Total results: 50)\n[button] Next > [button_]\n\n\
                       [button] F1 [button_]\nA Lamp\n$60.99\n\n[clicked button] F2 [clicked button_]\nB\n$1\n";
        assert_eq!(
            brief(results),
            "[Back to Search]\nPage 1 (Total results: 50)\n[Next >]\n[F1] $60.99\n  A Lamp\n[*F2] $1\n  B"
        );
        let text = "You see a [button] here.";
        assert!(!is_page(text) && matches!(whole(text), Cow::Borrowed(_)));
    }

    #[test]
    fn long_choices_are_folded_around_what_is_chosen() {
        let names: Vec<String> = (0..30).map(|n| format!("s{n}")).collect();
        let all: Vec<(&str, bool)> =
            names.iter().enumerate().map(|(n, name)| (name.as_str(), n == 25)).collect();
        let text = folded(&all);
        assert!(text.starts_with("[s0]") && text.contains("[*s25] and 18 more"), "{text}");
    }
}
