//! Text on screens: differences between texts, a line that is typed, and fuzzy matches.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tui_input::Input;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::theme::{Theme, fit};
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

/// A word in pieces of at most so many cells; mostly one. A letter wider than that is a piece all
/// the same.
pub fn chunks(word: &str, width: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut cells) = (0, 0);
    for (at, letter) in word.grapheme_indices(true) {
        if cells > 0 && cells + letter.width() > width {
            parts.push(&word[from..at]);
            (from, cells) = (at, 0);
        }
        cells += letter.width();
    }
    parts.push(&word[from..]);
    parts
}

/// A text's words in rows of at most so many cells.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for part in text.split_whitespace().flat_map(|word| chunks(word, width)) {
        let row =
            rows.last_mut().filter(|row| row.is_empty() || row.width() + 1 + part.width() <= width);
        match row {
            Some(row) if row.is_empty() => row.push_str(part),
            Some(row) => *row += &format!(" {part}"),
            None => rows.push(part.to_string()),
        }
    }
    rows
}

/// Puts a pasted text where the caret stands, as one line: its line breaks become blanks.
pub fn pasted(input: &mut Input, text: &str) {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let before: String = input.value().chars().take(input.cursor()).collect();
    let after: String = input.value().chars().skip(input.cursor()).collect();
    // One line keeps the blanks at its ends.
    let text = if lines.len() == 1 {
        text.trim_end_matches(['\n', '\r']).to_string()
    } else {
        lines.join(" ")
    };
    let caret = input.cursor() + text.chars().count();
    *input = Input::new(format!("{before}{text}{after}")).with_cursor(caret);
}

/// A remark at the right end of the row `y` of an area: that there is more, and how to see it.
pub fn remark(text: &str, y: u16, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let width = (text.chars().count() as u16).min(area.width);
    let at = Rect { x: area.right() - width, y, width, height: 1 };
    frame.render_widget(Line::styled(text, theme.dim()), at);
}

/// A line being typed, in so many cells. The caret is always in view; what is out of view is said
/// to be by a `…` at that end.
pub fn typed_line<'a>(input: &Input, width: usize, theme: Theme) -> Line<'a> {
    let before: String = clean(&input.value().chars().take(input.cursor()).collect::<String>());
    let after: String = clean(&input.value().chars().skip(input.cursor()).collect::<String>());
    let mut after = after.graphemes(true);
    let under = after.next().unwrap_or(" ");
    let after = after.as_str();
    let room = width.saturating_sub(2 + under.width());
    // Some of what comes behind the caret is seen too, if there is anything.
    let behind = after.width().min(room / 4).max(room.saturating_sub(before.width()));
    let before = fit_end(&before, room.saturating_sub(behind.min(after.width())));
    let after = fit(after, room.saturating_sub(before.width()));
    Line::from(vec![
        Span::styled("> ", theme.key()),
        Span::raw(before),
        Span::styled(under.to_string(), theme.selected()),
        Span::raw(after),
    ])
}

/// The end of a text in so many cells, with a `…` where its beginning is out of view.
fn fit_end(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let mut cells = 1;
    let fits = |(_, letter): &(usize, &str)| {
        cells += letter.width();
        cells <= width
    };
    let from = text.grapheme_indices(true).rev().take_while(fits).last();
    let end = from.map_or("", |(at, _)| &text[at..]);
    if width == 0 { String::new() } else { format!("…{end}") }
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
#[path = "text_tests.rs"]
mod tests;
