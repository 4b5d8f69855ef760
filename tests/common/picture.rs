//! A frame as an SVG picture: rows of monospaced text over rectangles, in the colours of the theme.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// A cell's width and height.
const WIDTH: f64 = 9.0;
const HEIGHT: f64 = 17.5;

/// What a terminal without a word about colours shows, and what is behind it.
const TEXT: &str = "#d8d8d8";
const BEHIND: &str = "#16181d";

/// How one cell looks: text, background, bold, faint, underlined.
#[derive(Clone, PartialEq)]
struct Look {
    text: String,
    behind: String,
    bold: bool,
    faint: bool,
    line: bool,
}

/// A colour; none for the terminal's own.
fn colour(colour: Color) -> Option<String> {
    let hex = |rgb: [u8; 3]| format!("#{:02x}{:02x}{:02x}", rgb[0], rgb[1], rgb[2]);
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    Some(match colour {
        Color::Reset => return None,
        Color::Red => "#f07178".into(),
        Color::Green => "#a5d66f".into(),
        Color::Blue => "#6cb6ff".into(),
        Color::Magenta => "#d9a0f3".into(),
        Color::Cyan => "#5fd7d7".into(),
        Color::Indexed(grey @ 232..) => hex([8 + 10 * (grey - 232); 3]),
        Color::Indexed(n @ 16..) => hex([(n - 16) / 36, (n - 16) / 6 % 6, (n - 16) % 6].map(level)),
        Color::Rgb(r, g, b) => hex([r, g, b]),
        other => panic!("no theme has {other}"),
    })
}

fn look(cell: &Cell) -> Look {
    let text = colour(cell.fg).unwrap_or_else(|| TEXT.into());
    let behind = colour(cell.bg).unwrap_or_else(|| BEHIND.into());
    let has = |modifier| cell.modifier.contains(modifier);
    let (text, behind) = if has(Modifier::REVERSED) { (behind, text) } else { (text, behind) };
    let faint = has(Modifier::DIM);
    Look { text, behind, bold: has(Modifier::BOLD), faint, line: has(Modifier::UNDERLINED) }
}

/// The runs of a row that look alike: where each begins, its cells, its text.
fn runs(buffer: &Buffer, y: u16) -> Vec<(u16, u16, Look, String)> {
    let mut runs: Vec<(u16, u16, Look, String)> = Vec::new();
    for x in 0..buffer.area.width {
        let cell = &buffer[(x, y)];
        let look = look(cell);
        match runs.last_mut() {
            Some((_, cells, known, text)) if *known == look => {
                *cells += 1;
                text.push_str(cell.symbol());
            }
            _ => runs.push((x, 1, look, cell.symbol().to_string())),
        }
    }
    runs
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The picture, with what it shows in words for who does not see it.
pub fn svg(buffer: &Buffer, title: &str, about: &str) -> String {
    let wide = f64::from(buffer.area.width) * WIDTH;
    let high = f64::from(buffer.area.height) * HEIGHT;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-10 -8 {:.0} {:.0}\" role=\"img\" \
         aria-labelledby=\"t d\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, \
         monospace\" font-size=\"15\" fill=\"{TEXT}\">\n<title id=\"t\">{}</title>\n<desc \
         id=\"d\">{}</desc>\n<rect x=\"-10\" y=\"-8\" width=\"100%\" height=\"100%\" rx=\"8\" \
         fill=\"{BEHIND}\"/>\n",
        wide + 20.0,
        high + 16.0,
        escaped(title),
        escaped(about)
    );
    for y in 0..buffer.area.height {
        let top = f64::from(y) * HEIGHT;
        for (x, cells, look, text) in runs(buffer, y) {
            let blank = text.len() - text.trim_start().len();
            let left = (f64::from(x) + blank as f64) * WIDTH;
            if look.behind != BEHIND {
                let width = f64::from(cells) * WIDTH;
                let x = f64::from(x) * WIDTH;
                _ = writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{HEIGHT}\" \
                     fill=\"{}\"/>",
                    look.behind
                );
            }
            let shown = text.trim();
            if shown.is_empty() {
                continue;
            }
            let length = shown.chars().count() as f64 * WIDTH;
            let mut style = String::new();
            if look.text != TEXT {
                style += &format!(" fill=\"{}\"", look.text);
            }
            style += if look.bold { " font-weight=\"bold\"" } else { "" };
            style += if look.faint { " opacity=\"0.7\"" } else { "" };
            style += if look.line { " text-decoration=\"underline\"" } else { "" };
            _ = writeln!(
                out,
                "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" \
                 xml:space=\"preserve\"{style}>{}</text>",
                top + 13.8,
                escaped(shown)
            );
        }
    }
    out + "</svg>\n"
}

#[test]
fn the_picture_of_the_readme_is_the_screen_as_it_is() {
    use crate::{Caps, Screen, docs, drawing, in_mode};

    let app = in_mode(Caps::FULL, Screen::Explore, "");
    let about = "Explore on 120 by 36 cells: the task; the way walked so far; the room and the \
                 admissible actions with their probabilities; the expert's action and \
                 alternatives, each with the predicted and the actual next state.";
    let picture = svg(&drawing::cells(&app, 120, 36), "foretaste, the screen Explore", about);
    assert!(picture.len() < 60_000, "{} bytes", picture.len());
    docs("explore.svg", &picture);
}
