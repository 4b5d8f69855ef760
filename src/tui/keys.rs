//! The key table: the only source for dispatch, the footer, the `?` page, the palette and the docs.

use super::effect::Screen;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Show a screen.
    Show(Screen),
    /// The screen so many tabs on.
    Beside(usize),
    /// The `?` page.
    Help,
    /// All actions by name.
    Palette,
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
    /// The other panel.
    NextPanel,
    /// The panel in front alone.
    Whole,
    /// Do the main thing with what is selected.
    Enter,
    /// Take alternative N (1–9), or show the outcome that N cites.
    Number(usize),
    /// Take the selected admissible action.
    TakeSelected,
    /// Type an action.
    TypeAction,
    /// Take back the last thing.
    Undo,
    /// Do again what was taken back.
    Redo,
    /// Choose a node of the tree.
    Nodes,
    /// More alternatives.
    More,
    /// Another task or item.
    Next,
    /// The one before.
    Previous,
    /// Collect data.
    Collect,
    /// Another expert speaks.
    Expert,
    /// Keep the episode as a demonstration.
    Keep,
    /// Write a reflection about this state.
    Reflect,
    /// Let the policy play on from each outcome.
    GoOn,
    /// Let the expert do so.
    ExpertGoesOn,
    /// How alternatives are chosen.
    Sampling,
    /// List the surprises.
    Surprises,
    /// Look for surprises anew.
    Survey,
    /// Let the policy think before it acts, or act at once.
    Think,
    /// Hide the model's advice, or show it.
    Hide,
    /// What the environment gave, character by character.
    Raw,
    /// The exact prompt and reply of the model.
    Prompt,
    /// Approve.
    Approve,
    /// Edit.
    Edit,
    /// Edit in the person's own editor.
    Editor,
    /// Reject.
    Reject,
    /// Skip.
    Skip,
    /// Flag, or take the flag off.
    Flag,
    /// Back to pending.
    Requeue,
    /// Change the filter.
    Filter,
    /// Choose a filter.
    Filters,
    /// List by what came of it.
    Outcome,
    /// All versions beside the one that stands.
    Attempts,
    /// Second opinions without knowing the first.
    Blind,
    /// Look for text.
    Search,
    /// The next (or the previous) hit.
    Hit(bool),
    /// Word difference between versions.
    Difference,
    /// What the reasons mean.
    Rubric,
    /// Figures of the session.
    Statistics,
    /// Decide on everything listed.
    Bulk,
    /// Start a run.
    Start,
    /// Pause or go on.
    Pause,
    /// Stop cleanly.
    Stop,
    /// Go on with what stopped.
    Resume,
    /// Evaluate now.
    Evaluate,
    /// Load a checkpoint into Explore.
    Use,
    /// Next curve.
    Metric,
    /// Smoothing of the curve.
    Smooth,
    /// Logarithmic axis, or linear.
    Log,
    /// What the horizontal axis counts.
    Axis,
    /// Zoom in (or out).
    Zoom(bool),
    /// What is in view moved right (or left).
    Pan(bool),
    /// Keep a curve in view, or no longer.
    Pin,
    /// Everything in view again.
    Fit,
    /// Lay the selected run's curve over the others, or take it off.
    Overlay,
    /// Play or pause a replay.
    Play,
    /// Faster (or slower).
    Speed(bool),
    /// The next (or the previous) mark.
    Mark(bool),
    /// Branch off in Explore.
    BranchOff,
    /// Write as files.
    Export,
    /// Read from a file.
    Import,
    /// Delete, with undo.
    Delete,
}

/// Where a selection moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// One up.
    Up,
    /// One down.
    Down,
    /// One left (a step back).
    Left,
    /// One right (a step on).
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
}

/// One row of the table.
#[derive(Debug)]
pub struct Binding {
    /// The screen it belongs to; none for all.
    pub screen: Option<Screen>,
    /// What a person's own `keys.toml` calls it, unique within its screen.
    pub name: &'static str,
    /// The keys as written in `keys.toml`, any of them, separated by spaces.
    pub keys: &'static str,
    /// What they do.
    pub act: Act,
    /// A word for the footer; empty to leave it out there.
    pub short: &'static str,
    /// A sentence for the `?` page and the palette.
    pub long: &'static str,
}

/// `(name, keys, act, footer word, sentence)`.
type Row = (&'static str, &'static str, Act, &'static str, &'static str);

use Direction::{Down, First, Last, Left, PageDown, PageUp, Right, Up};
use Screen::{Curate, Data, Explore, Replay, Train};

const EXPLORE: &[Row] = &[
    ("step", "enter", Act::Enter, "step expert", "take the expert's action"),
    ("alternative", "1 2 3 4 5 6 7 8 9", Act::Number(0), "take alternative", "take that alternative instead"),
    ("type", "a /", Act::TypeAction, "type", "type an action; the list narrows as you type, Tab completes"),
    (
        "take",
        "t space",
        Act::TakeSelected,
        "take selected",
        "take the action under the cursor: of the admissible list, or of What if (Tab)",
    ),
    ("back", "u backspace", Act::Undo, "back", "go back one step (the branch stays)"),
    ("nodes", "b", Act::Nodes, "nodes", "go to any node walked so far"),
    ("more", "s", Act::More, "more", "try more of the policy's alternatives"),
    ("reflect", "R", Act::Reflect, "reflect", "write a reflection from the executed outcomes, and review it in Curate"),
    ("prompt", "P", Act::Prompt, "", "the exact prompt the model is given here, and its raw replies"),
    ("raw", "v", Act::Raw, "", "the observation and every outcome exactly as the environment gave them"),
    ("go-on", "o", Act::GoOn, "go on", "let the policy play on from each outcome, and see what comes of it"),
    ("expert-goes-on", "O", Act::ExpertGoesOn, "", "let the expert play on from each outcome instead"),
    (
        "sampling",
        "p",
        Act::Sampling,
        "sampling",
        "how alternatives are chosen: by whom, how many, temperature, top-p, seed",
    ),
    (
        "surprises",
        "S",
        Act::Surprises,
        "surprises",
        "states of demonstrations where the model is most wrong or most sure of something else",
    ),
    ("again", "ctrl-s", Act::Survey, "", "look for surprises anew, with the newest checkpoint"),
    ("whole", "z", Act::Whole, "", "the panel in front alone on the screen, or beside the others again"),
    (
        "think",
        "i",
        Act::Think,
        "think",
        "let the policy think before it acts, as checkpoints of reflection were trained to",
    ),
    ("hide", "H", Act::Hide, "", "hide the advice of expert and model while you play, or show it"),
    ("expert", "e", Act::Expert, "expert", "who speaks: fair, planner, walkthrough, or you"),
    ("keep", "K", Act::Keep, "keep", "keep this episode as a demonstration"),
    ("collect", "c", Act::Collect, "collect", "collect demonstrations, alternatives and reflections"),
    ("next", "]", Act::Next, "next task", "the next task of the split"),
    ("previous", "[", Act::Previous, "", "the task before"),
    ("split", "f", Act::Filter, "split", "the next split of the suite"),
];

const CURATE: &[Row] = &[
    ("approve", "a", Act::Approve, "approve", "fit for training as it stands"),
    ("edit", "e", Act::Edit, "edit", "write a new version (Ctrl-S saves and approves it, Esc keeps a draft)"),
    ("editor", "E", Act::Editor, "", "write it in $VISUAL or $EDITOR; saving there saves and approves it"),
    ("reject", "x", Act::Reject, "reject", "reject with one of nine reasons"),
    ("skip", "s ]", Act::Skip, "skip", "the next item, without deciding"),
    ("previous", "[", Act::Previous, "", "the item before"),
    ("flag", "m", Act::Flag, "flag", "flag it for a second look, or take the flag off"),
    ("undo", "u", Act::Undo, "undo", "take back the latest act, also one from before a restart"),
    ("redo", "ctrl-r", Act::Redo, "redo", "do again what undo took back"),
    ("requeue", "o", Act::Requeue, "", "back to pending"),
    ("filter", "f", Act::Filter, "filter", "pending, approved, rejected, flagged, suspected by a rule, all"),
    (
        "filters",
        "F",
        Act::Filters,
        "",
        "choose a filter: kept ones, or by rule with how many it points at; s keeps the present one",
    ),
    (
        "blind",
        "B",
        Act::Blind,
        "",
        "a second opinion on what is decided, without seeing how; S shows how far the two agree",
    ),
    ("search", "/", Act::Search, "search", "only items whose text or task contains these words; empty for all"),
    ("difference", "d", Act::Difference, "", "what changed between the generated text and this version"),
    (
        "versions",
        "D",
        Act::Attempts,
        "",
        "every version beside the one that stands, word by word; Enter lets another stand",
    ),
    ("regenerate", "r", Act::Resume, "regenerate", "another attempt, by the model or the template; every attempt is kept"),
    ("bulk", "v", Act::Bulk, "bulk", "decide on everything listed at once, after saying how many; one undo"),
    ("rubric", "i", Act::Rubric, "", "what each reason means, and what the rules look for"),
    ("statistics", "S", Act::Statistics, "", "approval, reasons and findings so far, and your pace"),
    ("outcome", "1 2 3 4 5 6 7 8 9", Act::Number(0), "", "show the outcome of that alternative"),
];

const TRAIN: &[Row] = &[
    ("train", "t", Act::Start, "train", "start a run, or queue it behind the one under way"),
    ("pause", "p", Act::Pause, "pause", "pause the run, or let it go on"),
    (
        "stop",
        "x",
        Act::Stop,
        "stop",
        "stop cleanly: the run is saved and can go on later; take a run that waits out of the queue",
    ),
    ("resume", "r", Act::Resume, "resume", "go on with the selected run from its last checkpoint"),
    ("evaluate", "v", Act::Evaluate, "evaluate", "play twenty unseen games with the newest checkpoint"),
    ("use", "w", Act::Use, "use", "let the selected run's newest checkpoint answer in Explore"),
    ("curve", "m", Act::Metric, "curve", "the next curve"),
    ("left", "h left", Act::Move(Left), "", "the cursor to an earlier value"),
    ("right", "l right", Act::Move(Right), "cursor", "the cursor to a later value"),
    ("zoom-in", "+ =", Act::Zoom(true), "zoom", "zoom in around the cursor"),
    ("zoom-out", "-", Act::Zoom(false), "", "zoom out"),
    ("pan-right", "]", Act::Pan(true), "", "what is zoomed in moved on by a quarter"),
    ("pan-left", "[", Act::Pan(false), "", "what is zoomed in moved back by a quarter"),
    ("pin", "P", Act::Pin, "pin", "keep this curve in view below the others (three at most), or no longer"),
    ("search", "/", Act::Search, "", "only curves whose names fit this regular expression; m goes through them"),
    ("fit", "0", Act::Fit, "", "everything in view again, without a cursor"),
    ("smooth", "s", Act::Smooth, "smooth", "smoothing: none, 0.9, 0.98"),
    ("log", "i", Act::Log, "log", "logarithmic or linear values"),
    ("axis", "a", Act::Axis, "axis", "by update, by minutes, by tokens"),
    (
        "before-after",
        "b",
        Act::Nodes,
        "before/after",
        "what the run's start and its newest checkpoint make of the state open in Explore",
    ),
    ("overlay", "space", Act::Overlay, "overlay", "lay the selected run's curve over the others, or take it off"),
];

const REPLAY: &[Row] = &[
    ("open", "enter", Act::Enter, "open", "open the selected trajectory"),
    ("left", ", h left", Act::Move(Left), "", "a step back"),
    ("right", ". l right", Act::Move(Right), "step", "a step on"),
    ("play", "space", Act::Play, "play", "play, or stop playing"),
    ("faster", "+ =", Act::Speed(true), "faster", "play faster"),
    ("slower", "-", Act::Speed(false), "", "play slower"),
    (
        "next-mark",
        "}",
        Act::Mark(true),
        "mark",
        "the next step with a mark: no-op, refused, not foreseen, the same again, an alternative as good, won",
    ),
    ("previous-mark", "{", Act::Mark(false), "", "the mark before"),
    ("search", "/", Act::Search, "search", "look for words in this trajectory"),
    ("next-hit", "n", Act::Hit(true), "", "the next hit"),
    ("previous-hit", "N", Act::Hit(false), "", "the hit before"),
    ("next", "]", Act::Next, "next", "the next trajectory"),
    ("previous", "[", Act::Previous, "", "the trajectory before"),
    ("raw", "v", Act::Raw, "", "the step exactly as it is stored"),
    ("branch", "b", Act::BranchOff, "branch", "open Explore on this step"),
    ("compare", "d", Act::Difference, "", "mark this trajectory; on another one, see where the two part"),
    ("export", "X", Act::Export, "export", "write it as text, as a web page and as an asciinema cast"),
    ("filter", "f", Act::Filter, "filter", "demonstrations, explorations, evaluations, all"),
    (
        "list",
        "F",
        Act::Filters,
        "",
        "only trajectories whose task, kind, suite or actor contain these words; empty for all",
    ),
    ("outcome", "o", Act::Outcome, "", "only those that reached the goal, only those that did not, all"),
];

const DATA: &[Row] = &[
    (
        "export",
        "e X",
        Act::Export,
        "export",
        "write training sets, or whole trajectories for another store, after saying what that comes to",
    ),
    ("import", "i", Act::Import, "import", "take in trajectories from another store, after saying what of them is new"),
    ("collect", "c", Act::Collect, "collect", "collect demonstrations, alternatives and reflections"),
    ("delete", "d", Act::Delete, "delete", "take the selected trajectory out of every list and training set"),
    ("undo", "u", Act::Undo, "undo", "put back what was deleted last"),
];

const EVERYWHERE: &[Row] = &[
    ("down", "j down", Act::Move(Down), "", "down"),
    ("up", "k up", Act::Move(Up), "", "up"),
    ("page-down", "pagedown ctrl-d", Act::Move(PageDown), "", "a page down"),
    ("page-up", "pageup ctrl-u", Act::Move(PageUp), "", "a page up"),
    ("first", "g home", Act::Move(First), "", "to the first"),
    ("last", "G end", Act::Move(Last), "", "to the last"),
    ("panel", "tab", Act::NextPanel, "", "the next panel: arrow keys go there, and it is in front where not all fit"),
    ("explore", "f1", Act::Show(Explore), "", "Explore (also 1 where digits are free)"),
    ("curate", "f2", Act::Show(Curate), "", "Curate"),
    ("train", "f3", Act::Show(Train), "", "Train"),
    ("replay", "f4", Act::Show(Replay), "", "Replay"),
    ("data", "f5", Act::Show(Data), "", "Data"),
    ("next-screen", ">", Act::Beside(1), "", "the next screen"),
    ("previous-screen", "<", Act::Beside(4), "", "the screen before"),
    ("palette", ": ctrl-p", Act::Palette, "", "everything that can be done here, by name"),
    ("notices", "!", Act::Notices, "", "what was said since the start"),
    ("jobs", "J", Act::Jobs, "", "what runs now: how far, how fast, how long still; pause it, let it go on, or end it"),
    ("log", "L", Act::Journal, "", "the log file, the newest lines first"),
    ("theme", "T", Act::Theme, "", "dark, light, high contrast, colour-blind safe, monochrome"),
    ("copy", "y", Act::Copy(false), "", "copy what is in front to the clipboard (OSC 52, also over SSH)"),
    ("copy-json", "Y", Act::Copy(true), "", "copy it as JSON"),
    ("suspend", "ctrl-z", Act::Suspend, "", "back to the shell for a while; fg comes back"),
    ("help", "?", Act::Help, "keys", "all keys of this screen"),
    ("quit", "q ctrl-c", Act::Quit, "quit", "leave; if work is running you are asked what becomes of it"),
];

/// All keys, those of screens first. On the first two screens digits mean what stands beside them, so screens are also
/// on F1–F5.
pub fn table() -> impl Iterator<Item = Binding> {
    let rows = [
        (Some(Explore), EXPLORE),
        (Some(Curate), CURATE),
        (Some(Train), TRAIN),
        (Some(Replay), REPLAY),
        (Some(Data), DATA),
        (None, EVERYWHERE),
    ];
    rows.into_iter().flat_map(|(screen, rows)| {
        let row = move |&(name, keys, act, short, long): &Row| Binding { screen, name, keys, act, short, long };
        rows.iter().map(row)
    })
}
