//! Text on screens: differences between texts, a line that is typed, and fuzzy matches.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tui_input::Input;

use super::theme::Theme;
use crate::text::clean;

/// Word-level difference: `[words]` only predicted, `{words}` only actual, so that it shows without
/// colour.
pub fn difference<'a>(
    predicted: &str,
    actual: &str,
    theme: Theme,
) -> (Vec<Span<'a>>, Vec<Span<'a>>) {
    use crate::text::{Run, apart};
    let [left, right] = apart(predicted, actual);
    let spans = |runs: Vec<Run>, [open, close]: [char; 2], style| {
        let one = |run: Run| {
            let span = if run.own {
                Span::styled(format!("{open}{}{close}", run.text), style)
            } else {
                Span::raw(run.text)
            };
            [span, Span::raw(" ")]
        };
        runs.into_iter().flat_map(one).collect()
    };
    (spans(left, ['[', ']'], theme.bad()), spans(right, ['{', '}'], theme.good()))
}

/// A text character by character, as the lines of a JSON string: what cannot be seen is written
/// out.
pub fn raw(text: &str) -> Vec<String> {
    let whole = serde_json::Value::from(text).to_string();
    let lines: Vec<&str> = whole.split_inclusive("\\n").collect();
    lines.into_iter().map(str::to_string).collect()
}

/// A text from outside as one line, its runs of blanks closed up.
pub fn one_line(text: &str) -> String {
    clean(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A number with commas between thousands.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Puts the first line of a pasted text behind what is typed.
pub fn pasted(input: &mut Input, text: &str) {
    *input = Input::new(format!("{}{}", input.value(), text.lines().next().unwrap_or_default()));
}

/// A remark at the right end of the row `y` of an area: that there is more, and how to see it.
pub fn remark(text: &str, y: u16, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let width = (text.chars().count() as u16).min(area.width);
    let at = Rect { x: area.right() - width, y, width, height: 1 };
    frame.render_widget(Line::styled(text, theme.dim()), at);
}

/// A line being typed, with its cursor (in cells).
pub fn input_line<'a>(text: &str, cursor: usize, theme: Theme) -> Line<'a> {
    use unicode_width::UnicodeWidthChar;
    let text = clean(text);
    let mut cells = 0;
    let at = text.char_indices().find(|(_, c)| {
        let here = cells >= cursor;
        cells += c.width().unwrap_or(0);
        here
    });
    let at = at.map_or(text.len(), |(i, _)| i);
    let mut rest = text[at..].chars();
    let under = rest.next().map_or(" ".to_string(), String::from);
    Line::from(vec![
        Span::styled("> ", theme.key()),
        Span::raw(text[..at].to_string()),
        Span::styled(under, theme.selected()),
        Span::raw(rest.as_str().to_string()),
    ])
}

/// The indices of texts that match what was typed, the best first; all in their order for nothing
/// typed.
pub fn fuzzy<'a>(typed: &str, texts: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let mut buffer = Vec::new();
    let scored = texts.enumerate().filter_map(|(i, text)| {
        pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher).map(|score| (score, i))
    });
    let mut found: Vec<(u32, usize)> = scored.collect();
    found.sort_by_key(|(score, i)| (std::cmp::Reverse(*score), *i));
    found.into_iter().map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzzy_finds_scattered_letters_and_keeps_order_for_nothing() {
        let texts = ["go to shelf 1", "take mug 1 from desk 1", "go to desk 2"];
        assert_eq!(fuzzy("", texts.into_iter()), [0, 1, 2]);
        assert_eq!(fuzzy("godsk", texts.into_iter())[0], 2);
        assert_eq!(fuzzy("mug desk", texts.into_iter()), [1]);
        assert!(fuzzy("zzz", texts.into_iter()).is_empty());
    }
}
