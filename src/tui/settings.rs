//! `config.toml` in the data directory: how the interface looks.

use std::path::Path;

use serde::Deserialize;

use super::caps::{Caps, found};
use super::theme::Palette;
use crate::error::{Error, Result};
use crate::paths;
use crate::text::line_of;

/// What a person may set.
#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// dark, light, high-contrast, colour-blind, mono.
    theme: Option<String>,
    /// ASCII borders and marks whatever the locale says (or glyphs, if false).
    ascii: Option<bool>,
    /// Colours whatever the environment says (or none, if false); `NO_COLOR` still wins.
    colour: Option<bool>,
    /// Wheel and clicks are taken from the terminal.
    #[serde(default)]
    pub mouse: bool,
    /// What happens by itself is drawn at most twice a second.
    #[serde(default)]
    pub reduced_motion: bool,
    /// Endpoints, which `agent::minds` reads.
    #[serde(default)]
    minds: toml::Table,
    /// Worlds of other programs, which `env::foreign` reads.
    #[serde(default)]
    worlds: toml::Table,
}

impl Settings {
    /// The file's contents; nothing set if it is not there. What cannot be is refused with its
    /// line.
    pub fn load(path: &Path) -> Result<Self> {
        Self::parse(&paths::settings(path)?).map_err(|error| error.at(path.display()))
    }

    /// The settings that a text states.
    pub fn parse(text: &str) -> Result<Self> {
        let settings: Self = toml::from_str(text).map_err(|e| {
            // The line is not quoted: a key may stand on it.
            let line = e.span().map_or(1, |span| line_of(text, span.start));
            Error::new(format!("line {line}: {}", e.message())).hint(
                "settings: theme, ascii, colour, mouse, reduced_motion, minds, worlds (see docs/settings.md)",
            )
        })?;
        settings.palette()?;
        Ok(settings)
    }

    /// The colours asked for.
    pub fn palette(&self) -> Result<Option<Palette>> {
        let named = |word: &String| {
            Palette::from_name(word).ok_or_else(|| {
                let known = Palette::ALL.map(Palette::as_str).join(", ");
                Error::new(format!("there is no theme `{word}`")).hint(format!("themes: {known}"))
            })
        };
        self.theme.as_ref().map(named).transpose()
    }

    /// What the terminal can show, with the person's word on it.
    pub fn caps(&self, found: Caps) -> Caps {
        let color = found.color && self.colour.unwrap_or(true);
        Caps { color, unicode: self.ascii.map_or(found.unicode, |ascii| !ascii) }
    }

    /// What was decided about the terminal, and why.
    pub fn reasons(&self) -> String {
        let [mut color, mut unicode] = found();
        let seen = Caps { color: color.0, unicode: unicode.0 };
        let set = "config.toml says so".to_string();
        let caps = self.caps(seen);
        if caps.color != seen.color {
            color = (caps.color, set.clone());
        }
        if caps.unicode != seen.unicode {
            unicode = (caps.unicode, set);
        }
        let word = |on: bool, yes: &'static str, no: &'static str| if on { yes } else { no };
        format!(
            "{} ({}); {} ({}); mouse {}; {} (config.toml)",
            word(color.0, "colours", "no colours"),
            color.1,
            word(unicode.0, "UTF-8 glyphs", "ASCII only"),
            unicode.1,
            word(self.mouse, "taken", "left to the terminal"),
            word(self.reduced_motion, "reduced motion", "full motion"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        for (text, part) in
            [("theme = \"drak\"", "drak"), ("\nthem = \"dark\"", "line 2"), ("ascii = 3", "line 1")]
        {
            std::fs::write(&path, text).unwrap();
            assert!(Settings::load(&path).unwrap_err().to_string().contains(part), "{text}");
        }
        std::fs::write(&path, "theme = \"light\"\nascii = true").unwrap();
        let settings = Settings::load(&path).unwrap();
        assert_eq!(settings.palette().unwrap(), Some(Palette::Light));
        assert!(!settings.caps(Caps::FULL).unicode);
    }
}
