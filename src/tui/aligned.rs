//! Two texts under one another, word under word: what both say stands in the same columns, what
//! only one of them says is marked (`[so]` above, `{so}` below), and both break where either has
//! to.

use ratatui::style::Style;
use ratatui::text::Span;
use similar::{DiffOp, TextDiff};
use unicode_width::UnicodeWidthStr;

use super::text::chunks;
use super::theme::Theme;

/// A row of each text; one that says nothing there is empty.
pub type Pair = [Vec<Span<'static>>; 2];

/// One of the two texts as far as it is set.
struct Side {
    rows: Vec<Vec<Span<'static>>>,
    /// Row and column behind the last word.
    end: (usize, usize),
    width: usize,
    /// What its own words stand in.
    marks: [char; 2],
    style: Style,
}

impl Side {
    fn new(width: usize, marks: [char; 2], style: Style) -> Self {
        Self { rows: vec![Vec::new()], end: (0, 0), width, marks, style }
    }

    /// Where a word of so many cells would begin.
    fn next(&self, cells: usize) -> (usize, usize) {
        let (row, column) = self.end;
        let column = if column == 0 { 0 } else { column + 1 };
        if column > 0 && column + cells > self.width { (row + 1, 0) } else { (row, column) }
    }

    /// Sets a word at a place that is not before [`Side::next`].
    fn put(&mut self, (row, column): (usize, usize), word: String, style: Style) {
        let from = if row == self.end.0 { self.end.1 } else { 0 };
        self.rows.resize_with(self.rows.len().max(row + 1), Vec::new);
        if column > from {
            self.rows[row].push(Span::raw(" ".repeat(column - from)));
        }
        self.end = (row, column + word.width());
        self.rows[row].push(Span::styled(word, style));
    }

    /// Sets words that the other text does not have.
    fn own(&mut self, words: &[&str]) {
        let [open, close] = self.marks;
        for (i, word) in words.iter().enumerate() {
            let mut word = (*word).to_string();
            if i == 0 {
                word.insert(0, open);
            }
            if i + 1 == words.len() {
                word.push(close);
            }
            for part in chunks(&word, self.width) {
                self.put(self.next(part.width()), part.to_string(), self.style);
            }
        }
    }
}

/// Sets two texts into so many columns.
pub fn aligned(above: &str, below: &str, width: usize, theme: Theme) -> Vec<Pair> {
    let width = width.max(1);
    let old: Vec<&str> = above.split_whitespace().collect();
    let new: Vec<&str> = below.split_whitespace().collect();
    let mut upper = Side::new(width, ['[', ']'], theme.bad());
    let mut lower = Side::new(width, ['{', '}'], theme.good());
    // What is only in one of them is set when all of it is known: neighbours are marked as one.
    let (mut deleted, mut inserted): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for op in TextDiff::from_slices(&old, &new).ops() {
        if let DiffOp::Equal { .. } = op {
            upper.own(&std::mem::take(&mut deleted));
            lower.own(&std::mem::take(&mut inserted));
            for word in &old[op.old_range()] {
                for part in chunks(word, width) {
                    let at = upper.next(part.width()).max(lower.next(part.width()));
                    upper.put(at, part.to_string(), Style::new());
                    lower.put(at, part.to_string(), Style::new());
                }
            }
        } else {
            deleted.extend(&old[op.old_range()]);
            inserted.extend(&new[op.new_range()]);
        }
    }
    upper.own(&deleted);
    lower.own(&inserted);
    let rows = upper.rows.len().max(lower.rows.len());
    upper.rows.resize_with(rows, Vec::new);
    lower.rows.resize_with(rows, Vec::new);
    upper.rows.into_iter().zip(lower.rows).map(|(above, below)| [above, below]).collect()
}

#[cfg(test)]
#[path = "aligned_tests.rs"]
mod tests;
