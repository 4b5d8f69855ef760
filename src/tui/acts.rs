//! All keys in one table: the only source for dispatch, the footer, the `?` page, the palette and
//! the docs.

use super::keys::Direction::{Down, First, Last, PageDown, PageUp, Up};
use super::keys::{Direction, Key, key};
use super::screen::Screen;
use super::screens;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Show a screen.
    Show(Screen),
    /// The screen so many tabs on (or back).
    Beside(isize),
    /// The `?` page.
    Help,
    /// All actions by name.
    Palette,
    /// What was done, as commands.
    Commands,
    /// What was said since the start.
    Notices,
    /// The log file.
    Journal,
    /// What runs now.
    Jobs,
    /// The next theme.
    Theme,
    /// Copy what is in front; as JSON if true.
    Copy(bool),
    /// Give the shell its terminal back for a while.
    Suspend,
    /// Leave.
    Quit,
    /// Move a selection or scroll.
    Move(Direction),
    /// The next panel.
    NextPanel,
    /// What a screen has keys of its own for.
    Own(screens::Act),
}

/// One row of the table of all keys.
#[derive(Debug)]
pub struct Binding {
    /// The screen it belongs to; none for all.
    pub screen: Option<Screen>,
    /// The row.
    pub key: Key<Act>,
}

/// Keys that move what is in front.
const MOVING: &[Key<Act>] = &[
    key("down", "j down", Act::Move(Down), "", "down"),
    key("up", "k up", Act::Move(Up), "", "up"),
    key("page-down", "pagedown ctrl-d", Act::Move(PageDown), "", "a page down"),
    key("page-up", "pageup ctrl-u", Act::Move(PageUp), "", "a page up"),
    key("first", "g home", Act::Move(First), "", "to the first"),
    key("last", "G end", Act::Move(Last), "", "to the last"),
    key(
        "panel",
        "tab",
        Act::NextPanel,
        "",
        "the next panel: arrow keys go there, and it is in front where not all fit",
    ),
];

/// Other keys of all screens, besides those that show one.
const EVERYWHERE: &[Key<Act>] = &[
    key(
        "next-screen",
        ">",
        Act::Beside(1),
        "",
        "the next screen (where digits are free, each shows one as well)",
    ),
    key("previous-screen", "<", Act::Beside(-1), "", "the screen before"),
    key(
        "palette",
        ": ctrl-p",
        Act::Palette,
        "",
        "everything that can be done, by the beginnings of its words; other screens' acts too",
    ),
    key(
        "commands",
        "@",
        Act::Commands,
        "",
        "what was done in this session, as the command that does the same; y copies one",
    ),
    key("notices", "!", Act::Notices, "", "what was said since the start"),
    key(
        "jobs",
        "J",
        Act::Jobs,
        "",
        "what runs now: how far, how fast, how long still; pause it, let it go on, or end it",
    ),
    key("log", "L", Act::Journal, "", "the log file, the newest lines first"),
    key("theme", "T", Act::Theme, "", "dark, light, high contrast, colour-blind safe, monochrome"),
    key(
        "copy",
        "y",
        Act::Copy(false),
        "",
        "copy what is in front to the clipboard (OSC 52, also over SSH)",
    ),
    key("copy-json", "Y", Act::Copy(true), "", "copy it as JSON"),
    key("suspend", "ctrl-z", Act::Suspend, "", "back to the shell for a while; fg comes back"),
    key("help", "?", Act::Help, "keys", "all keys of this screen"),
    key(
        "quit",
        "q ctrl-c",
        Act::Quit,
        "quit",
        "leave; if work is running you are asked what becomes of it",
    ),
];

/// All keys, those of screens first. On the first two screens digits mean what stands beside them,
/// so screens are also on F1–F5.
pub fn table() -> impl Iterator<Item = Binding> {
    let own = screens::keys().map(|(screen, row)| {
        let key = key(row.name, row.keys, Act::Own(row.act), row.short, row.long);
        Binding { screen: Some(screen), key }
    });
    let show = |screen: Screen| {
        let [keys, name] = screen.key();
        key(name, keys, Act::Show(screen), "", screen.as_str())
    };
    let shows = Screen::ALL.into_iter().map(show);
    let all = MOVING.iter().copied().chain(shows).chain(EVERYWHERE.iter().copied());
    own.chain(all.map(|key| Binding { screen: None, key }))
}
