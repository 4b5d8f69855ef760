//! `config.toml` and `keys.toml`.

use std::sync::LazyLock;

use crossterm::event::{KeyCode, KeyEvent};
use foretaste::tui::keymap::{Keymap, word};
use foretaste::tui::screen::Screen;
use foretaste::tui::settings::Settings;

use super::choices::Choices;

/// Any TOML value.
fn value(c: &mut Choices<'_>) -> String {
    match c.below(6) {
        0 => c.odd().to_string(),
        1 => format!("{:?}", c.text().replace(|c: char| c.is_control(), "")),
        2 => {
            let depth = c.depth(200);
            format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
        }
        3 => {
            let depth = c.depth(100);
            format!("{}1{}", "{a = ".repeat(depth), "}".repeat(depth))
        }
        4 => format!("[{}]", vec!["\"k\""; c.many(5000)].join(", ")),
        _ => [
            "inf",
            "nan",
            "0x7F",
            "1979-05-27T07:32:00Z",
            "'''\na\n'''",
            "\"\\u0000\"",
            "+1",
            "1_000",
        ][c.below(8)]
        .into(),
    }
}

/// Lines that no reader asked for.
fn noise(c: &mut Choices<'_>, lines: &mut Vec<String>) {
    for i in 0..c.many(2000) {
        match c.below(5) {
            0 => lines.push(format!("# {}", c.text().replace(|c: char| c.is_control(), ""))),
            1 => lines.push(format!("x{i} = {}", value(c))),
            2 => lines.push(format!("{}b = 1", "a.".repeat(c.depth(200)))),
            3 => lines.push(format!("[{}b{i}]", "a.".repeat(c.depth(200)))),
            _ => lines.push("[[many]]".into()),
        }
    }
}

/// A `config.toml`.
pub fn settings(c: &mut Choices<'_>) -> Vec<u8> {
    let mut lines = Vec::new();
    for name in ["theme", "ascii", "colour", "mouse", "reduced_motion"] {
        if c.chance(50) {
            let fit = if name == "theme" {
                c.pick(&["\"dark\"", "\"light\"", "\"mono\""])
            } else {
                c.pick(&["true", "false"])
            };
            lines.push(format!(
                "{name} = {}",
                if c.chance(90) { fit.to_string() } else { value(c) }
            ));
        }
    }
    if c.chance(25) {
        noise(c, &mut lines);
    } else if c.chance(50) {
        lines.extend(vec!["# a remark".to_string(); c.many(5000)]);
    }
    lines.join(c.pick(&["\n", "\n", "\r\n", "\n\n"])).into_bytes()
}

/// Reads it.
pub fn feed_settings(bytes: &[u8]) -> bool {
    Settings::parse(&String::from_utf8_lossy(bytes)).is_ok()
}

/// Sections and names of the table.
static NAMES: LazyLock<Vec<(String, &str)>> = LazyLock::new(|| {
    Keymap::default()
        .entries
        .iter()
        .map(|entry| (word(entry.binding.screen), entry.binding.key.name))
        .collect()
});

/// A `keys.toml`.
pub fn keys(c: &mut Choices<'_>) -> Vec<u8> {
    let mut lines = Vec::new();
    let held = |c: &mut Choices<'_>| {
        let kinds = if c.chance(5) { 5 } else { 3 };
        ["ctrl-", "alt-", "ctrl-alt-", "", "hyper-"][c.below(kinds)]
    };
    let start = c.below(NAMES.len());
    let section = &NAMES[start].0;
    lines.push(format!("[{section}]"));
    let own: Vec<&str> = NAMES[start..]
        .iter()
        .filter(|(scope, _)| scope == section)
        .map(|(_, name)| *name)
        .collect();
    for name in own.iter().take(c.many(60)) {
        let key = |c: &mut Choices<'_>| {
            let rest = if c.chance(90) {
                c.pick(&["y", "5", "f5", "home", "é", "-", "space", "Z"])
            } else {
                c.pick(&["", "a b", "f13", "--"])
            };
            format!("\"{}{rest}\"", held(c))
        };
        let value = match c.below(8) {
            0 => value(c),
            1 => format!("[{}]", (0..c.many(400)).map(|_| key(c)).collect::<Vec<_>>().join(", ")),
            2 => format!("[{}]", vec![key(c); c.many(2000)].join(", ")),
            _ => key(c),
        };
        lines.push(format!("{name} = {value}"));
    }
    if c.chance(15) {
        noise(c, &mut lines);
    }
    lines.join("\n").into_bytes()
}

/// Reads it, and presses some keys.
pub fn feed_keys(bytes: &[u8]) -> bool {
    let Ok(map) = Keymap::with(&String::from_utf8_lossy(bytes)) else { return false };
    for screen in Screen::ALL {
        for key in [KeyCode::Char('y'), KeyCode::Char('5'), KeyCode::Home, KeyCode::F(5)] {
            _ = map.lookup(screen, KeyEvent::from(key));
        }
        _ = map.of(screen).map(|entry| entry.first().len()).sum::<usize>();
    }
    true
}
