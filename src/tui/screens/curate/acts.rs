//! Curate, what its keys do.

use tui_input::Input;

use super::editing::{begun, editor};
use super::filter::next_filter;
use super::sheet::sheet;
use super::{Beside, Mode, State};
use crate::curation;
use crate::experience::{REASONS, Reflection, Verdict};
use crate::store::{Decision, Filter, Second};
use crate::tui::effect::{Effect, StoreCmd};
use crate::tui::keys::{Direction, Key, key};

/// What keys do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
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
    /// The one before.
    Previous,
    /// Flag, or take the flag off.
    Flag,
    /// Take back the last thing.
    Undo,
    /// Do again what was taken back.
    Redo,
    /// Back to pending.
    Requeue,
    /// The next filter.
    NextFilter,
    /// Choose a filter.
    Filters,
    /// Second opinions without knowing the first.
    Blind,
    /// Look for text.
    Search,
    /// Word difference between versions.
    Difference,
    /// All versions beside the one that stands.
    Versions,
    /// Ask for another attempt.
    Regenerate,
    /// Decide on everything listed.
    Bulk,
    /// The list, or one item.
    List,
    /// The item under the list's cursor.
    Open,
    /// Select a row of the list, or no longer.
    Select,
    /// Select a range of them.
    Range,
    /// Select all that the filter lists, or nothing.
    All,
    /// Sort the list by the next column.
    Order,
    /// Say something beside how it stands.
    Note,
    /// What happened to it.
    History,
    /// What the reasons mean.
    Rubric,
    /// Figures of the session.
    Statistics,
    /// Show the outcome of alternative N (1–9), or no longer.
    Outcome(usize),
}

/// The keys of this screen.
pub const KEYS: &[Key<Act>] = &[
    key(
        "approve",
        "a",
        Act::Approve,
        "approve",
        "fit for training as it stands; asks where a rule says that it would teach wrong",
    ),
    key(
        "edit",
        "e",
        Act::Edit,
        "edit",
        "write a new version: Ctrl-S keeps it, pending, for a to approve; Ctrl-O keeps and \
         approves it; Ctrl-Z takes back, Esc keeps a draft",
    ),
    key(
        "editor",
        "E",
        Act::Editor,
        "",
        "write it in $VISUAL or $EDITOR, with what it is judged by; saved, it is pending, and a \
         approves it",
    ),
    key("reject", "x", Act::Reject, "reject", "reject with one of nine reasons"),
    key("skip", "s ]", Act::Skip, "skip", "the next item, without deciding"),
    key("previous", "[", Act::Previous, "", "the item before"),
    key("flag", "m", Act::Flag, "flag", "flag it for a second look, or take the flag off"),
    key("undo", "u", Act::Undo, "undo", "take back the latest act, also one from before a restart"),
    key("redo", "ctrl-r", Act::Redo, "redo", "do again what undo took back"),
    key("requeue", "o", Act::Requeue, "", "back to pending"),
    key(
        "filter",
        "f",
        Act::NextFilter,
        "filter",
        "pending, approved, rejected, flagged, suspected by a rule, all",
    ),
    key(
        "filters",
        "F",
        Act::Filters,
        "",
        "choose a filter: kept ones, or by rule with how many it points at; s keeps the present \
         one",
    ),
    key(
        "blind",
        "B",
        Act::Blind,
        "",
        "a second opinion on what is decided, without seeing how; S shows how far the two agree",
    ),
    key(
        "search",
        "/",
        Act::Search,
        "search",
        "only items whose text, task or notes contain these words; empty for all",
    ),
    key(
        "difference",
        "d",
        Act::Difference,
        "",
        "what changed between the generated text and this version",
    ),
    key(
        "versions",
        "D",
        Act::Versions,
        "",
        "every version beside the one that stands, word by word; Enter lets another stand",
    ),
    key(
        "regenerate",
        "r",
        Act::Regenerate,
        "regenerate",
        "another attempt, by the model or the template; every attempt is kept",
    ),
    key(
        "bulk",
        "v",
        Act::Bulk,
        "bulk",
        "decide on everything listed (or selected) at once, after saying how many; one undo",
    ),
    key(
        "list",
        "l",
        Act::List,
        "list",
        "all of them as a list with columns, or one item; a x m o N act on what is selected there",
    ),
    key("open", "enter", Act::Open, "open", "in the list: the item under the cursor"),
    key("select", "space", Act::Select, "select", "in the list: select a row, or no longer"),
    key(
        "range",
        "V",
        Act::Range,
        "",
        "in the list: select from the row selected last to the cursor",
    ),
    key(
        "all",
        "A",
        Act::All,
        "",
        "in the list: select all that the filter lists, on other pages too; again for none",
    ),
    key(
        "order",
        "O",
        Act::Order,
        "sort",
        "in the list: sort by number, rules, kind, author, verdict, length; of more than one page, \
         the one that is here",
    ),
    key(
        "note",
        "N",
        Act::Note,
        "note",
        "say something beside how it stands; in the boxes of x and v, beside that decision",
    ),
    key(
        "history",
        "H",
        Act::History,
        "",
        "its versions and decisions: by whom, when, what was said",
    ),
    key("rubric", "i", Act::Rubric, "", "what each reason means, and what the rules look for"),
    key(
        "statistics",
        "S",
        Act::Statistics,
        "",
        "approval, reasons and findings so far, and your pace",
    ),
    key(
        "outcome",
        "1 2 3 4 5 6 7 8 9",
        Act::Outcome(0),
        "",
        "show the outcome of that alternative",
    ),
];

impl State {
    /// Whether a key means something now.
    pub fn applies(&self, act: Act) -> bool {
        let free = self.waiting.is_none();
        match act {
            Act::Versions
            | Act::Edit
            | Act::Editor
            | Act::Flag
            | Act::Bulk
            | Act::Requeue
            | Act::Regenerate
            | Act::Difference
                if self.blind() =>
            {
                false
            }
            Act::List => !self.blind(),
            Act::Open | Act::Select | Act::Range | Act::All => {
                self.lists() && self.current().is_some()
            }
            Act::Order => self.lists(),
            Act::Note => free && !self.blind() && !self.subject().is_empty(),
            Act::History => !self.blind() && self.current().is_some(),
            Act::Reject | Act::Requeue if self.selects() => free,
            // A decision under way may move the list: what is chosen or typed must not become
            // another item's.
            Act::Edit | Act::Editor | Act::Reject | Act::Bulk => free && self.current().is_some(),
            Act::Regenerate => free && self.current().is_some() && self.writing.is_none(),
            Act::Versions => free && self.current().is_some_and(|item| item.written > 1),
            Act::Requeue => self.current().is_some_and(|item| item.verdict != Verdict::Pending),
            Act::Approve | Act::Skip | Act::Flag => self.current().is_some(),
            Act::Difference => self.current().is_some_and(|item| item.versions.len() > 1),
            _ => true,
        }
    }

    /// Does what a key means.
    pub fn act(&mut self, act: Act) -> Vec<Effect> {
        match act {
            Act::Approve => return self.ask_or(Decision::Approve),
            Act::Requeue => return self.ask_or(Decision::Requeue),
            Act::Flag => {
                let subject = self.subject();
                let about = |item: &&Reflection| subject.iter().any(|(id, _)| *id == item.id);
                let mut listed = self.queue.items.iter().filter(about).peekable();
                let on = listed.peek().is_none() || listed.any(|item| !item.flagged);
                return self.ask_or(Decision::Flag(on));
            }
            Act::Reject => self.mode = Some(Mode::Reject),
            Act::List => return self.toggle_list(),
            Act::Open => self.list.shown = false,
            Act::Select => return self.select(),
            Act::Range => self.select_range(),
            Act::All => return self.select_all(),
            Act::Order => return self.next_order(),
            Act::Note => self.mode = Some(Mode::Note(Input::default(), Beside::Nothing)),
            Act::History => {
                let asked = self.current().map(|item| Effect::Store(StoreCmd::History(item.id)));
                return asked.into_iter().collect();
            }
            Act::Bulk => self.mode = self.current().map(|_| Mode::Bulk),
            Act::Edit => self.mode = self.current().map(|item| Mode::Edit(editor(item))),
            Act::Editor => {
                let edit = |item: &Reflection| {
                    Effect::Edit(item.id, sheet(begun(item), self.evidence_of(item)))
                };
                return self.current().map(edit).into_iter().collect();
            }
            Act::Search => self.mode = Some(Mode::Search(Input::new(self.filter.words.clone()))),
            Act::Difference => self.difference = !self.difference,
            Act::Undo => return vec![Effect::Store(StoreCmd::Undo)],
            Act::Redo => return vec![Effect::Store(StoreCmd::Redo)],
            Act::Statistics => return vec![Effect::Store(StoreCmd::Statistics)],
            Act::Skip => return self.walk(Direction::Down),
            Act::Previous => return self.walk(Direction::Up),
            Act::Outcome(n) => self.outcome = Some(n).filter(|n| self.outcome != Some(*n)),
            Act::Regenerate => self.mode = Some(Mode::Writer),
            Act::Versions => {
                let asked = self.current().map(|item| Effect::Store(StoreCmd::Attempts(item.id)));
                return asked.into_iter().collect();
            }
            Act::Blind => {
                let blind = Filter { second: Some(Second::Blind), ..Filter::default() };
                return self.filter_by(if self.blind() {
                    Filter::verdict(Some(Verdict::Pending))
                } else {
                    blind
                });
            }
            Act::NextFilter => return self.filter_by(next_filter(&self.filter)),
            Act::Filters => {
                self.mode = Some(Mode::Filters(0));
                return vec![Effect::Store(StoreCmd::Pointed)];
            }
            Act::Rubric => return vec![Effect::Show("Rubric".into(), rubric())],
        }
        Vec::new()
    }
}

/// What the reasons mean, and what rules look for.
fn rubric() -> Vec<String> {
    let reasons = REASONS.iter().map(|(code, what)| format!("{code:<18} {what}"));
    let rules = curation::rules().map(|(code, what)| format!("{code:<18} {what}"));
    let head = |text: &str| vec![String::new(), text.to_string(), String::new()];
    let asked =
        "Is it true, does it use what was seen, and should the agent think like this?".to_string();
    let lines = [
        vec![asked],
        head("Reasons to reject"),
        reasons.collect(),
        head("What rules point at (they never decide)"),
        rules.collect(),
    ];
    lines.concat()
}
