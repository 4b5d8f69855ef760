//! A terminal backend that counts bytes: over SSH they are what a frame costs.
//!
//! It knows what the terminal shows, so that it moves the cursor by the shortest way (over a few
//! letters by writing them again), changes only the attributes that differ, and hides the cursor
//! once. Everything else is crossterm's.

use std::io::{Error, Write};

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

/// Cells that are written again in place of a move; the shortest move takes three bytes.
const AGAIN: u16 = 4;

/// Columns and rows that are drawn at most: a terminal can say that it has 65,535 of both, which no
/// memory holds.
const MOST: (u16, u16) = (1000, 500);

/// Attributes and their codes (ECMA-48, SGR).
const ATTRIBUTES: [(Modifier, &str); 9] = [
    (Modifier::BOLD, "1"),
    (Modifier::DIM, "2"),
    (Modifier::ITALIC, "3"),
    (Modifier::UNDERLINED, "4"),
    (Modifier::SLOW_BLINK, "5"),
    (Modifier::RAPID_BLINK, "6"),
    (Modifier::REVERSED, "7"),
    (Modifier::HIDDEN, "8"),
    (Modifier::CROSSED_OUT, "9"),
];

/// How the next letter will look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pen {
    front: Color,
    back: Color,
    attributes: Modifier,
}

impl Pen {
    const PLAIN: Self =
        Self { front: Color::Reset, back: Color::Reset, attributes: Modifier::empty() };

    fn of(cell: &Cell) -> Self {
        Self { front: cell.fg, back: cell.bg, attributes: cell.modifier }
    }

    /// What makes this pen out of another.
    fn from(self, other: Self) -> String {
        if self == other {
            return String::new();
        }
        let fades = |new: Color, old: Color| new == Color::Reset && old != Color::Reset;
        let anew = fades(self.front, other.front)
            || fades(self.back, other.back)
            || !self.attributes.contains(other.attributes);
        let other = if anew { Self::PLAIN } else { other };
        let mut codes: Vec<String> = Vec::new();
        codes.extend((self.front != other.front).then(|| colour(self.front, 0)));
        codes.extend((self.back != other.back).then(|| colour(self.back, 10)));
        let added = self.attributes - other.attributes;
        codes.extend(
            ATTRIBUTES
                .iter()
                .filter(|(one, _)| added.contains(*one))
                .map(|(_, code)| (*code).to_string()),
        );
        match (anew, codes.is_empty()) {
            (true, true) => "\x1b[m".into(),
            (true, false) => format!("\x1b[;{}m", codes.join(";")),
            (false, _) => format!("\x1b[{}m", codes.join(";")),
        }
    }
}

/// The code of a colour; that of a background is ten more.
fn colour(colour: Color, more: u8) -> String {
    let named = match colour {
        Color::Reset => 39,
        Color::Black => 30,
        Color::Red => 31,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Blue => 34,
        Color::Magenta => 35,
        Color::Cyan => 36,
        Color::Gray => 37,
        Color::DarkGray => 90,
        Color::LightRed => 91,
        Color::LightGreen => 92,
        Color::LightYellow => 93,
        Color::LightBlue => 94,
        Color::LightMagenta => 95,
        Color::LightCyan => 96,
        Color::White => 97,
        Color::Indexed(index) => return format!("{};5;{index}", 38 + more),
        Color::Rgb(r, g, b) => return format!("{};2;{r};{g};{b}", 38 + more),
    };
    (named + more).to_string()
}

/// The backend.
#[derive(Debug)]
pub struct CompactBackend<W: Write> {
    inner: CrosstermBackend<W>,
    /// What each cell shows, where that is known, row after row.
    shown: Vec<Option<Cell>>,
    width: u16,
    /// Where the terminal's cursor is, where that is known.
    at: Option<(u16, u16)>,
    hidden: bool,
}

impl<W: Write> CompactBackend<W> {
    /// Writes to a terminal of which nothing is known.
    pub fn new(writer: W) -> Self {
        let inner = CrosstermBackend::new(writer);
        Self { inner, shown: Vec::new(), width: 0, at: None, hidden: false }
    }

    fn cell(&mut self, x: u16, y: u16) -> Option<&mut Option<Cell>> {
        let at = usize::from(y) * usize::from(self.width) + usize::from(x);
        if x < self.width { self.shown.get_mut(at) } else { None }
    }

    /// Room for so many columns and rows: a wider terminal than the one known so far is not known
    /// at all.
    fn grow(&mut self, columns: u16, rows: u16) {
        if columns > self.width {
            self.width = columns;
            self.shown = Vec::new();
        }
        let wanted = usize::from(self.width) * usize::from(rows);
        if self.shown.len() < wanted {
            self.shown.resize(wanted, None);
        }
    }

    /// Brings the cursor there.
    fn go(&mut self, out: &mut String, (x, y): (u16, u16), pen: Pen) {
        let Some((from, row)) = self.at.filter(|(from, row)| *row == y && *from <= x) else {
            if self.at.is_some_and(|(_, row)| row + 1 == y) && x == 0 {
                out.push_str("\r\n");
            } else if x == 0 {
                out.push_str(&format!("\x1b[{}H", y + 1));
            } else {
                out.push_str(&format!("\x1b[{};{}H", y + 1, x + 1));
            }
            return;
        };
        let gap = x - from;
        if gap == 0 {
            return;
        }
        let between: Option<String> = (from..x)
            .filter(|_| gap <= AGAIN)
            .map(|x| {
                let cell = self.cell(x, row).and_then(|cell| cell.as_ref())?;
                let same = Pen::of(cell) == pen && cell.symbol().len() == 1;
                same.then(|| cell.symbol().to_string())
            })
            .collect();
        match between.filter(|text| !text.is_empty()) {
            Some(text) => out.push_str(&text),
            None if gap == 1 => out.push_str("\x1b[C"),
            None => out.push_str(&format!("\x1b[{gap}C")),
        }
    }

    fn forget(&mut self) {
        self.shown.clear();
        self.width = 0;
        self.at = None;
    }
}

impl<W: Write> Backend for CompactBackend<W> {
    type Error = Error;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Error>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let cells: Vec<(u16, u16, &Cell)> = content.collect();
        let most = |of: fn(&(u16, u16, &Cell)) -> u16| {
            cells.iter().map(of).max().map_or(0, |most| most + 1)
        };
        self.grow(most(|cell| cell.0), most(|cell| cell.1));
        let mut out = String::new();
        let mut pen = Pen::PLAIN;
        for (x, y, cell) in cells {
            self.go(&mut out, (x, y), pen);
            let next = Pen::of(cell);
            out.push_str(&next.from(pen));
            out.push_str(cell.symbol());
            pen = next;
            // After a letter of several cells, or at the end of a line, terminals differ in where
            // they stand.
            let simple = cell.symbol().chars().count() == 1
                && unicode_width::UnicodeWidthStr::width(cell.symbol()) == 1;
            self.at = (simple && x + 1 < self.width).then_some((x + 1, y));
            if let Some(known) = self.cell(x, y) {
                *known = simple.then(|| cell.clone());
            }
        }
        out.push_str(&Pen::PLAIN.from(pen));
        self.inner.write_all(out.as_bytes())
    }

    fn append_lines(&mut self, n: u16) -> Result<(), Error> {
        self.forget();
        self.inner.append_lines(n)
    }

    fn hide_cursor(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.hidden, true) { Ok(()) } else { self.inner.hide_cursor() }
    }

    fn show_cursor(&mut self) -> Result<(), Error> {
        self.hidden = false;
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> Result<Position, Error> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Error> {
        self.at = None;
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> Result<(), Error> {
        self.forget();
        self.inner.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), Error> {
        self.forget();
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> Result<Size, Error> {
        let Size { width, height } = self.inner.size()?;
        Ok(Size { width: width.min(MOST.0), height: height.min(MOST.1) })
    }

    fn window_size(&mut self) -> Result<WindowSize, Error> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> Result<(), Error> {
        Backend::flush(&mut self.inner)
    }
}

#[cfg(test)]
#[path = "compact_backend_tests.rs"]
mod tests;
