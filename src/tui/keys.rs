//! The key table: the only source for dispatch, the footer and the `?` page.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::effect::Screen;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Show a screen.
    Show(Screen),
    /// The `?` page.
    Help,
    /// Leave.
    Quit,
    /// Move a selection or scroll.
    Move(Direction),
    /// The other panel.
    NextPanel,
    /// Do the main thing with what is selected.
    Enter,
    /// Take alternative N (1–9), or give reason N.
    Number(usize),
    /// Take the selected admissible action.
    TakeSelected,
    /// Type an action.
    TypeAction,
    /// Take back the last thing.
    Undo,
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
    /// Approve.
    Approve,
    /// Edit.
    Edit,
    /// Reject.
    Reject,
    /// Skip.
    Skip,
    /// Back to pending.
    Requeue,
    /// Change the filter.
    Filter,
    /// Start a run or an export.
    Start,
    /// Pause or go on.
    Pause,
    /// Stop cleanly.
    Stop,
    /// Evaluate now.
    Evaluate,
    /// Load a checkpoint into Explore.
    Use,
    /// Next curve.
    Metric,
    /// Play or pause a replay.
    Play,
    /// Branch off in Explore.
    BranchOff,
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
    /// The keys, any of them.
    pub keys: &'static [KeyCode],
    /// What they do.
    pub act: Act,
    /// How the keys are written.
    pub shown: &'static str,
    /// A word for the footer; empty to leave it out there.
    pub short: &'static str,
    /// A sentence for the `?` page.
    pub long: &'static str,
}

const fn on(
    screen: Screen,
    keys: &'static [KeyCode],
    act: Act,
    shown: &'static str,
    short: &'static str,
    long: &'static str,
) -> Binding {
    Binding { screen: Some(screen), keys, act, shown, short, long }
}

const fn everywhere(
    keys: &'static [KeyCode],
    act: Act,
    shown: &'static str,
    short: &'static str,
    long: &'static str,
) -> Binding {
    Binding { screen: None, keys, act, shown, short, long }
}

use Direction::{Down, First, Last, Left, Right, Up};
use KeyCode::Char as C;
use Screen::{Curate, Data, Explore, Replay, Train};

/// All keys. On the first three screens digits mean what stands beside them, so screens are also on F1–F5.
pub const KEYS: &[Binding] = &[
    on(Explore, &[KeyCode::Enter], Act::Enter, "⏎", "step expert", "take the expert's action"),
    on(
        Explore,
        &[C('1'), C('2'), C('3'), C('4'), C('5'), C('6'), C('7'), C('8'), C('9')],
        Act::Number(0),
        "1-9",
        "take alternative",
        "take that alternative instead",
    ),
    on(
        Explore,
        &[C('a')],
        Act::TypeAction,
        "a",
        "type action",
        "type an action; the list narrows as you type, Tab completes",
    ),
    on(Explore, &[C('t'), C(' ')], Act::TakeSelected, "t", "take selected", "take the admissible action under the cursor"),
    on(Explore, &[C('u'), KeyCode::Backspace], Act::Undo, "u", "back", "go back one step (the branch stays)"),
    on(Explore, &[C('b')], Act::Nodes, "b", "nodes", "go to any node walked so far"),
    on(Explore, &[C('s')], Act::More, "s", "more", "try more of the policy's alternatives"),
    on(Explore, &[C('e')], Act::Expert, "e", "expert", "who speaks: fair, planner, walkthrough, or you"),
    on(Explore, &[C('K')], Act::Keep, "K", "keep", "keep this episode as a demonstration"),
    on(Explore, &[C('c')], Act::Collect, "c", "collect", "collect demonstrations, alternatives and reflections"),
    on(Explore, &[C(']')], Act::Next, "]", "next task", "the next task of the split"),
    on(Explore, &[C('[')], Act::Previous, "[", "", "the task before"),
    on(Explore, &[C('f')], Act::Filter, "f", "split", "the next split of the suite"),
    on(Curate, &[C('a')], Act::Approve, "a", "approve", "fit for training as it stands"),
    on(Curate, &[C('e')], Act::Edit, "e", "edit", "write a new version (Ctrl-S saves and approves it, Esc leaves it)"),
    on(Curate, &[C('x')], Act::Reject, "x", "reject", "reject with one of nine reasons"),
    on(Curate, &[C('s'), C(']')], Act::Skip, "s", "skip", "the next item, without deciding"),
    on(Curate, &[C('[')], Act::Previous, "[", "", "the item before"),
    on(Curate, &[C('u')], Act::Undo, "u", "undo", "take back the latest decision, also one from before a restart"),
    on(Curate, &[C('o')], Act::Requeue, "o", "requeue", "back to pending"),
    on(Curate, &[C('f')], Act::Filter, "f", "filter", "pending, approved, rejected, all"),
    on(Train, &[C('t')], Act::Start, "t", "train", "start a run"),
    on(Train, &[C('p')], Act::Pause, "p", "pause", "pause the run, or let it go on"),
    on(Train, &[C('x')], Act::Stop, "x", "stop", "stop cleanly: the run is saved and can go on later"),
    on(Train, &[C('r')], Act::Requeue, "r", "resume", "go on with the selected run from its last checkpoint"),
    on(Train, &[C('v')], Act::Evaluate, "v", "evaluate", "play twenty unseen games with the newest checkpoint"),
    on(Train, &[C('w')], Act::Use, "w", "use", "let the selected run's newest checkpoint answer in Explore"),
    on(Train, &[C('m')], Act::Metric, "m", "curve", "the next curve"),
    on(Replay, &[KeyCode::Enter], Act::Enter, "⏎", "open", "open the selected trajectory"),
    on(Replay, &[KeyCode::Left, C('h'), C(',')], Act::Move(Left), ", h ←", "", "a step back"),
    on(Replay, &[KeyCode::Right, C('l'), C('.')], Act::Move(Right), ". l →", "step", "a step on"),
    on(Replay, &[C(' ')], Act::Play, "space", "play", "play, or stop playing"),
    on(Replay, &[C(']')], Act::Next, "]", "next", "the next trajectory"),
    on(Replay, &[C('[')], Act::Previous, "[", "", "the trajectory before"),
    on(Replay, &[C('b')], Act::BranchOff, "b", "branch", "open Explore on this step"),
    on(Replay, &[C('f')], Act::Filter, "f", "filter", "demonstrations, explorations, evaluations, all"),
    on(Data, &[C('e')], Act::Start, "e", "export", "write the three training sets as JSONL into the data directory"),
    on(Data, &[C('c')], Act::Collect, "c", "collect", "collect demonstrations, alternatives and reflections"),
    everywhere(&[C('j'), KeyCode::Down], Act::Move(Down), "j ↓", "", "down"),
    everywhere(&[C('k'), KeyCode::Up], Act::Move(Up), "k ↑", "", "up"),
    everywhere(&[C('g'), KeyCode::Home], Act::Move(First), "g", "", "to the first"),
    everywhere(&[C('G'), KeyCode::End], Act::Move(Last), "G", "", "to the last"),
    everywhere(&[KeyCode::Tab], Act::NextPanel, "tab", "", "the next panel, where not all fit"),
    everywhere(&[KeyCode::F(1)], Act::Show(Explore), "F1", "", "Explore (also 1 where digits are free)"),
    everywhere(&[KeyCode::F(2)], Act::Show(Curate), "F2", "", "Curate"),
    everywhere(&[KeyCode::F(3)], Act::Show(Train), "F3", "", "Train"),
    everywhere(&[KeyCode::F(4)], Act::Show(Replay), "F4", "", "Replay"),
    everywhere(&[KeyCode::F(5)], Act::Show(Data), "F5", "", "Data"),
    everywhere(&[C('>'), KeyCode::PageDown], Act::Show(Explore), "< >", "screens", "the screen before, the next screen"),
    everywhere(&[C('?')], Act::Help, "?", "keys", "all keys of this screen"),
    everywhere(&[C('q')], Act::Quit, "q", "quit", "leave; running work is stopped cleanly after a question"),
];

/// What a key does on a screen.
pub fn lookup(screen: Screen, key: KeyEvent) -> Option<Act> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == C('c')).then_some(Act::Quit);
    }
    match key.code {
        C('>') | KeyCode::PageDown => return Some(Act::Show(screen.beside(1))),
        C('<') | KeyCode::PageUp => return Some(Act::Show(screen.beside(4))),
        _ => {}
    }
    let own = KEYS.iter().filter(|b| b.screen == Some(screen));
    let found = own.chain(KEYS.iter().filter(|b| b.screen.is_none())).find(|b| b.keys.contains(&key.code));
    match (found.map(|b| b.act), key.code) {
        (Some(Act::Number(_)), C(digit)) => digit.to_digit(10).map(|d| Act::Number(d as usize)),
        (None, C(digit @ '1'..='5')) => digit.to_digit(10).map(|d| Act::Show(Screen::ALL[d as usize - 1])),
        (act, _) => act,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_on_one_screen() {
        for screen in Screen::ALL {
            let mine: Vec<&Binding> = KEYS.iter().filter(|b| b.screen == Some(screen)).collect();
            for (i, a) in mine.iter().enumerate() {
                for b in &mine[i + 1..] {
                    assert!(!a.keys.iter().any(|key| b.keys.contains(key)), "{screen:?}: {} and {}", a.shown, b.shown);
                }
            }
        }
    }

    #[test]
    fn every_key_of_the_table_is_dispatched() {
        for binding in KEYS {
            for key in binding.keys {
                let screen = binding.screen.unwrap_or(Screen::Data);
                let act = lookup(screen, KeyEvent::from(*key)).unwrap();
                assert_eq!(std::mem::discriminant(&act), std::mem::discriminant(&binding.act), "{}", binding.shown);
            }
        }
    }
}
