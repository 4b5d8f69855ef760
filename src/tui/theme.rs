//! The one door to colour, glyphs and text that comes from outside.

use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::{Block, Borders};

use super::caps::Caps;

/// A set of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Palette {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For light backgrounds.
    Light,
    /// Nothing dim, nothing pale.
    Contrast,
    /// Blue and orange in place of green and red.
    ColourBlind,
    /// No colours.
    Mono,
}

impl Palette {
    /// All of them, in the order of the key that goes through them.
    pub const ALL: [Self; 5] =
        [Self::Dark, Self::Light, Self::Contrast, Self::ColourBlind, Self::Mono];

    /// Its name in `config.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Contrast => "high-contrast",
            Self::ColourBlind => "colour-blind",
            Self::Mono => "mono",
        }
    }

    /// The palette of that name.
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|palette| palette.as_str() == word)
    }

    /// Secondary text, keys, good, bad, warning, frames. The bright eight (SGR 90 to 97) are in
    /// none: palettes such as Solarized keep greys next to their background there. Greys are those
    /// of the 256, which are the same everywhere.
    fn colours(self) -> [Color; 6] {
        use Color::{Blue, Cyan, Green, Indexed, Magenta, Red, Reset};
        match self {
            Self::Dark => [Indexed(245), Cyan, Green, Red, Magenta, Indexed(243)],
            Self::Light => {
                [Indexed(242), Blue, Indexed(22), Indexed(124), Indexed(90), Indexed(244)]
            }
            Self::Contrast => [Reset, Indexed(51), Indexed(46), Indexed(210), Indexed(226), Reset],
            Self::ColourBlind => {
                [Indexed(245), Cyan, Indexed(39), Indexed(208), Indexed(226), Indexed(243)]
            }
            Self::Mono => [Reset; 6],
        }
    }
}

/// How things look under the terminal's capabilities. Meaning is never carried by colour alone.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    caps: Caps,
    /// Which colours.
    pub palette: Palette,
}

impl Theme {
    /// The theme for a terminal.
    pub fn new(caps: Caps, palette: Palette) -> Self {
        Self { caps, palette }
    }

    /// Whether glyphs beyond ASCII may be used.
    pub fn unicode(self) -> bool {
        self.caps.unicode
    }

    fn colored(self, role: usize) -> Style {
        let colour = self.palette.colours()[role];
        if self.caps.color && colour != Color::Reset {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    /// Secondary text.
    pub fn dim(self) -> Style {
        let plain = !self.caps.color || self.palette == Palette::Mono;
        if plain { Style::new().add_modifier(Modifier::DIM) } else { self.colored(0) }
    }

    /// Headings and what is current.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Keys and hints.
    pub fn key(self) -> Style {
        self.colored(1)
    }

    /// Success, approval, the expert.
    pub fn good(self) -> Style {
        self.colored(2)
    }

    /// Failure, rejection, what is missing.
    pub fn bad(self) -> Style {
        self.colored(3)
    }

    /// Warnings and what differs.
    pub fn warn(self) -> Style {
        self.colored(4)
    }

    /// The selection: reversed, so that it shows without colour.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Lines around something.
    pub fn frame(self) -> Style {
        let plain = !self.caps.color || self.palette == Palette::Mono;
        if plain { self.dim() } else { self.colored(5) }
    }

    /// A titled panel.
    pub fn panel(self, title: &str) -> Block<'_> {
        Block::new()
            .borders(Borders::ALL)
            .border_style(self.frame())
            .title_style(self.dim())
            .title(format!(" {title} "))
    }

    /// A titled panel; the one that arrow keys go to has a bright frame.
    pub fn panel_of(self, title: &str, focused: bool) -> Block<'_> {
        let block = self.panel(title);
        if focused { block.border_style(self.strong()).title_style(self.strong()) } else { block }
    }

    /// Marks for curves.
    pub fn marker(self) -> Marker {
        if self.caps.unicode { Marker::Braille } else { Marker::Dot }
    }

    /// Text that a rule or a search points at: underlined, so that it shows without colour.
    pub fn marked(self) -> Style {
        self.warn().add_modifier(Modifier::UNDERLINED)
    }

    /// One glyph or its ASCII stand-in.
    pub fn glyph(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.caps.unicode { unicode } else { ascii }
    }

    /// A bar of at most `width` cells for a share in 0..=1.
    pub fn bar(self, share: f64, width: usize) -> String {
        let share = ratio(share, 1.0);
        let cells = (share * width as f64).round() as usize;
        let small = share > 0.005 && cells == 0;
        if small {
            self.glyph("▏", ".").to_string()
        } else {
            self.glyph("▇", "#").repeat(cells)
        }
    }
}

/// `part / whole` within 0..=1; 0 for anything that is no number.
pub fn ratio(part: f64, whole: f64) -> f64 {
    let ratio = part / whole;
    if ratio.is_finite() { ratio.clamp(0.0, 1.0) } else { 0.0 }
}

/// The first `width` cells of a line, with an ellipsis if it is longer.
pub fn fit(text: &str, width: usize) -> String {
    use unicode_segmentation::UnicodeSegmentation;
    use unicode_width::UnicodeWidthStr;
    if text.width() <= width {
        return text.to_string();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        if used + grapheme.width() + 1 > width {
            break;
        }
        used += grapheme.width();
        out.push_str(grapheme);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// A box of at most the given size in the middle of `area`.
pub fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

#[cfg(test)]
#[path = "theme_tests.rs"]
mod tests;
