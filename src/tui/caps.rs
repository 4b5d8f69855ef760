//! What the terminal can show, decided in one place.

/// The capabilities that drawing depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Colours may be used; off with `NO_COLOR` or a dumb terminal.
    pub color: bool,
    /// Glyphs beyond ASCII may be used.
    pub unicode: bool,
}

impl Caps {
    /// Everything.
    pub const FULL: Self = Self { color: true, unicode: true };

    /// What the environment says.
    pub fn detect() -> Self {
        let [(color, _), (unicode, _)] = found();
        Self { color, unicode }
    }
}

/// Whether there are colours, and glyphs beyond ASCII, each with the reason.
pub(super) fn found() -> [(bool, String); 2] {
    let get = |name: &'static str| {
        std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| (name, value))
    };
    let dumb = get("TERM").is_some_and(|(_, value)| value == "dumb");
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(get);
    let color = match get("NO_COLOR") {
        _ if dumb => (false, "TERM is dumb".to_string()),
        Some(_) => (false, "NO_COLOR is set".into()),
        None => (true, "NO_COLOR is not set".into()),
    };
    // An unset locale is common in containers behind terminals that do show UTF-8; only a stated
    // other one counts.
    let unicode = match locale {
        _ if dumb => (false, "TERM is dumb".to_string()),
        None => (true, "no locale is set, and most terminals show UTF-8".into()),
        Some((name, value)) => {
            let utf8 = value.to_lowercase().replace('-', "").contains("utf8");
            (utf8, format!("{name} is {value}"))
        }
    };
    [color, unicode]
}
