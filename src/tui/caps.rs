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
        let get = |name: &str| std::env::var(name).unwrap_or_default();
        let dumb = get("TERM") == "dumb";
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(get).into_iter().find(|value| !value.is_empty());
        // An unset locale is common in containers behind terminals that do show UTF-8; only a stated other one counts.
        let unicode = locale.is_none_or(|l| l.to_lowercase().replace('-', "").contains("utf8"));
        Self { color: get("NO_COLOR").is_empty() && !dumb, unicode: unicode && !dumb }
    }
}
