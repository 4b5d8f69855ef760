//! Text in several styles, broken into lines: what follows the first begins where it is told to, so
//! that texts can be held against each other.

use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Spans in lines of so many cells, broken between words, and within one that is longer.
pub(super) fn flow(spans: &[Span<'static>], cells: usize) -> Vec<Vec<Span<'static>>> {
    let cells = cells.max(1);
    let mut lines = vec![Vec::new()];
    let mut used = 0;
    for span in spans {
        for word in span.content.split_inclusive(' ') {
            if used > 0 && used + word.trim_end().width() > cells {
                lines.push(Vec::new());
                used = 0;
            }
            let mut piece = String::new();
            for cluster in word.graphemes(true) {
                if used + cluster.width() > cells {
                    if cluster == " " {
                        continue; // a line ends here, and needs no blank
                    }
                    put(&mut lines, std::mem::take(&mut piece), span);
                    lines.push(Vec::new());
                    used = 0;
                }
                used += cluster.width();
                piece.push_str(cluster);
            }
            put(&mut lines, piece, span);
        }
    }
    lines
}

fn put(lines: &mut [Vec<Span<'static>>], piece: String, like: &Span<'static>) {
    if let (Some(line), false) = (lines.last_mut(), piece.is_empty()) {
        line.push(Span::styled(piece, like.style));
    }
}

/// Spans in lines of so many cells, the first so far in, the others as far as said.
pub(super) fn hung(
    spans: &[Span<'static>],
    first: usize,
    follows: usize,
    cells: usize,
) -> Vec<Line<'static>> {
    let lines = flow(spans, cells.saturating_sub(first.max(follows)));
    let indented = |(at, mut line): (usize, Vec<Span<'static>>)| {
        let indent = if at == 0 { first } else { follows };
        if indent > 0 {
            line.insert(0, Span::raw(" ".repeat(indent)));
        }
        Line::from(line)
    };
    lines.into_iter().enumerate().map(indented).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(spans: &[Span<'static>], first: usize, follows: usize, cells: usize) -> Vec<String> {
        hung(spans, first, follows, cells).iter().map(Line::to_string).collect()
    }

    #[test]
    fn lines_break_between_words_and_hang_where_they_are_told_to() {
        let spans = [Span::raw("one two "), Span::raw("three")];
        assert_eq!(texts(&spans, 0, 2, 9), ["one two", "  three"]);
        assert_eq!(texts(&[Span::raw("abcdefgh")], 0, 0, 3), ["abc", "def", "gh"]);
        assert_eq!(texts(&[Span::raw("日本語 x")], 0, 0, 4), ["日本", "語 x"]);
        assert_eq!(texts(&[], 0, 2, 9), [""]);
        assert_eq!(texts(&[Span::raw("ab cd")], 0, 0, 2), ["ab", "cd"]);
    }
}
