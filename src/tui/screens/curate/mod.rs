//! Curate, the state: is this reflection true, does it use what was seen, and would I want the
//! agent to think like this?

mod acts;
mod boxes;
mod choices_view;
mod deciding;
mod editing;
pub mod filter;
mod list;
mod list_view;
mod msg;
mod order;
mod reflection_view;
mod sheet;
mod state_view;
mod typing;
pub mod view;
pub mod words;

use std::collections::HashMap;
use std::time::Instant;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::experience::{Reflection, Verdict};
use crate::store::{Decision, Filter, Place, Queue, Second, Seen};
use crate::tui::effect::{Effect, Notice, StoreCmd};
use crate::tui::jobs::Jobs;
use crate::tui::keys::Direction;
use crate::tui::screen::Screen;
use crate::tui::screens::Pane;
use crate::tui::theme::Theme;
pub use acts::{Act, KEYS};
pub use list::List;
pub use msg::{Beside, Evidence, Held, Mode, Msg};
pub use order::Order;
pub use sheet::text_of;

/// The screen's state.
#[derive(Debug)]
pub struct State {
    /// Which reflections are listed.
    pub filter: Filter,
    /// They, or a page of them.
    pub queue: Queue,
    /// Where that page begins.
    place: Place,
    /// The one in front.
    pub at: usize,
    /// What keys mean for a moment.
    pub mode: Option<Mode>,
    /// All of them side by side.
    pub list: List,
    /// Words that go with the decision that is being chosen.
    pub note: Option<String>,
    /// Whether the evidence stands alone, where not both fit.
    pub evidence: bool,
    /// Whether the difference between versions is shown.
    pub difference: bool,
    /// Lines that the evidence is scrolled by.
    pub scroll: u16,
    /// The alternative that was jumped to, from 1.
    pub outcome: Option<usize>,
    /// What the model is writing another attempt at, as it was seen.
    pub writing: Option<Seen>,
    /// Filters that a person keeps.
    pub saved: Vec<Filter>,
    /// How many of the pending the rules point at, by code, once it is counted.
    pub pointed: Option<Vec<(String, usize)>>,
    cases: HashMap<i64, Box<Evidence>>,
    wanted: Option<i64>,
    anew: bool,
    /// Since when the store has not answered to a decision.
    pub(super) waiting: Option<Instant>,
    decided: Vec<Instant>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            filter: Filter::verdict(Some(Verdict::Pending)),
            queue: Queue::default(),
            place: Place::Start,
            at: 0,
            mode: None,
            list: List::default(),
            note: None,
            evidence: false,
            difference: false,
            scroll: 0,
            outcome: None,
            writing: None,
            saved: Vec::new(),
            pointed: None,
            cases: HashMap::new(),
            wanted: None,
            anew: false,
            waiting: None,
            decided: Vec::new(),
        }
    }
}

impl State {
    /// The item in front.
    pub fn current(&self) -> Option<&Reflection> {
        self.queue.items.get(self.at)
    }

    /// What it is judged by, once the store has answered.
    pub fn evidence_of(&self, item: &Reflection) -> Option<&Evidence> {
        self.cases.get(&item.id).map(Box::as_ref).filter(|evidence| evidence.text == item.text())
    }

    /// The reflection to come back to.
    pub fn standing_at(&self) -> Option<i64> {
        self.wanted.or_else(|| self.current().map(|item| item.id))
    }

    /// Takes up what the last session looked at.
    pub fn come_back(&mut self, filter: Option<Filter>, wanted: Option<i64>, saved: Vec<Filter>) {
        self.wanted = wanted;
        self.saved = saved;
        self.filter = filter.unwrap_or_else(|| Filter::verdict(Some(Verdict::Pending)));
    }

    /// Asks for the evidence of the item in front and of the next ones, so that it is there before
    /// it is needed.
    fn fetch(&mut self) -> Vec<Effect> {
        let near = self.queue.items.iter().skip(self.at).take(4);
        let wanted = near.filter(|item| self.evidence_of(item).is_none());
        let case = |item: &Reflection| Effect::Store(StoreCmd::Case(Box::new(item.clone())));
        let mut effects: Vec<Effect> = wanted.map(case).collect();
        effects.extend(self.hold_rules());
        effects
    }

    pub(super) fn filter_by(&mut self, filter: Filter) -> Vec<Effect> {
        // What is selected would be decided on unseen.
        let let_go = self.list.selected.len();
        self.list.selected.clear();
        self.filter = filter;
        self.at = 0;
        self.place = Place::Start;
        // Second opinions begin at the first; other filters stay on the item in front, if they list
        // it.
        self.anew = self.blind();
        let mut effects = vec![self.reload()];
        if let_go > 0 {
            let text = format!("another list: {let_go} selected reflections are let go");
            effects.push(Effect::Say(Notice::info(text)));
        }
        effects
    }

    /// Asks for the page in front again.
    pub fn reload(&self) -> Effect {
        Effect::Store(StoreCmd::Queue(self.filter.clone(), self.place))
    }

    /// Another page, whose first item (or last, if it is the page before) is to be in front.
    fn turn_to(&mut self, place: Place) -> Vec<Effect> {
        self.place = place;
        self.anew = true;
        self.at = if matches!(place, Place::Before(_)) { usize::MAX } else { 0 };
        vec![self.reload()]
    }

    fn go(&mut self, at: usize) -> Vec<Effect> {
        let before = self.current().map(|item| item.id);
        self.at = at.min(self.queue.items.len().saturating_sub(1));
        if self.current().map(|item| item.id) != before {
            self.scroll = 0;
            self.outcome = None;
        }
        self.fetch()
    }

    /// Takes in a message. What is being chosen is chosen for what was seen: where that moves, the
    /// choice is over.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let open = self.mode.is_some();
        let seen = self.seen();
        let effects = self.take(msg);
        if open && self.mode.is_some() && self.seen() != seen {
            // And not none: the keys of a choice would mean something else.
            self.mode = Some(Mode::Moved);
            self.note = None;
        }
        effects
    }

    fn take(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Queue(filter, place, queue) if filter == self.filter && place == self.place => {
                self.take_queue(queue)
            }
            Msg::Queue(..) => Vec::new(),
            Msg::Case(id, evidence) => {
                self.take_case(id, evidence);
                Vec::new()
            }
            Msg::Held(held) => self.take_held(held),
            Msg::Everything(filter, all) => {
                self.take_everything(&filter, all);
                Vec::new()
            }
            Msg::Decided(ids, decision) => self.decided(&ids, &decision),
            Msg::VerdictCounts(counts) => {
                self.queue.verdict_counts = counts;
                Vec::new()
            }
            Msg::Turned(undone) => {
                // What was taken back is shown again; doing it again leaves a person where they
                // are.
                self.wanted = Some(undone.reflection);
                if self.filter.verdict.is_some() && undone.verdict == Verdict::Pending {
                    self.filter.verdict = Some(undone.verdict);
                }
                if self.queue.items.iter().all(|item| item.id != undone.reflection) {
                    self.place = Place::Start;
                }
                vec![self.reload()]
            }
            Msg::Attempts(id, attempts) => {
                if self.mode.is_none() && self.current().is_some_and(|item| item.id == id) {
                    let last = attempts.len().saturating_sub(1);
                    self.mode = Some(Mode::Attempts(attempts, last.saturating_sub(1)));
                }
                Vec::new()
            }
            Msg::Pointed(counts) => {
                self.pointed(counts);
                Vec::new()
            }
            Msg::Show(id) => {
                self.wanted = Some(id);
                self.filter = Filter::verdict(Some(Verdict::Pending));
                self.place = Place::Start;
                vec![Effect::Go(Screen::Curate)] // which asks for the list
            }
            Msg::Written(id, author, text) => {
                let listed = || {
                    self.queue
                        .items
                        .iter()
                        .find(|item| item.id == id)
                        .map(|item| self.seen_of(item))
                };
                // What nobody has seen any more stands beside whatever stands.
                let seen = self.writing.clone().or_else(listed).unwrap_or_default();
                self.writing = None;
                vec![Effect::Store(StoreCmd::Attempt(id, seen, author, text))]
            }
            Msg::Failed => {
                self.writing = None;
                self.list.holding = false;
                // A text that was refused is a draft, all of it.
                let refused = self.waiting.take().and_then(|_| self.current());
                let Some(item) = refused else { return Vec::new() };
                let draft = item
                    .draft
                    .clone()
                    .map(|text| Effect::Store(StoreCmd::Draft(item.id, Some(text))));
                draft.into_iter().chain([self.reload()]).collect()
            }
            Msg::Drafted(id, text) => self.drafted(id, &text),
            Msg::Edited(id, text) => self.edited(id, &text),
        }
    }

    fn take_case(&mut self, id: i64, evidence: Box<Evidence>) {
        let about = self.queue.items.iter().find(|item| item.id == id);
        if let Some(item) = about.filter(|item| item.text() == evidence.text) {
            let held = Held::of(id, item.version, &evidence.findings);
            self.list.hold(vec![held]);
        }
        self.cases.insert(id, evidence);
    }

    fn take_queue(&mut self, queue: Queue) -> Vec<Effect> {
        let anew = std::mem::take(&mut self.anew);
        let wanted = self.wanted.take();
        let stay = wanted.or_else(|| self.current().filter(|_| !anew).map(|item| item.id));
        let typed = self.draft();
        self.queue = queue;
        self.order_rows();
        self.check_selected();
        let mut effects: Vec<Effect> = typed.into_iter().collect();
        effects.extend(self.stand(stay, wanted));
        effects
    }

    /// Finds the place in a list that has just come.
    fn stand(&mut self, stay: Option<i64>, wanted: Option<i64>) -> Vec<Effect> {
        let find = |id| self.queue.items.iter().position(|item| item.id == id);
        match (stay.and_then(find), wanted, self.place) {
            // What is wanted stands on another page; once only, since it may stand on none.
            (None, Some(id), Place::Start) if self.queue.on.is_some() => {
                self.wanted = wanted;
                self.turn_to(Place::After(id - 1))
            }
            (None, _, Place::After(_) | Place::Before(_)) if self.queue.items.is_empty() => {
                self.turn_to(Place::Start)
            }
            (found, _, _) => self.go(found.unwrap_or(self.at)),
        }
    }

    fn decided(&mut self, ids: &[i64], decision: &Decision) -> Vec<Effect> {
        self.waiting = None;
        if !matches!(decision, Decision::Flag(_) | Decision::Note(_)) {
            self.list.forget(ids);
        }
        let verdict = match decision {
            Decision::Approve | Decision::Edit(_) => Verdict::Approved,
            // A second opinion leaves the list, whatever it is.
            Decision::Reject(_) | Decision::Second(_) => Verdict::Rejected,
            Decision::Requeue => Verdict::Pending,
            Decision::Revise(text) => return self.revised(ids, text),
            Decision::Flag(_) | Decision::Attempt(..) | Decision::Note(_) => {
                return vec![self.reload()];
            }
        };
        self.decided.extend(ids.iter().take(1).map(|_| Instant::now()));
        if self.filter.second.is_none()
            && self.filter.verdict.is_none_or(|filter| filter == verdict)
        {
            let at = self.at + usize::from(self.filter.verdict.is_none() && ids.len() == 1);
            let mut effects = self.go(at);
            effects.push(self.reload());
            return effects;
        }
        self.queue.items.retain(|item| !ids.contains(&item.id));
        if self.queue.items.is_empty() {
            return vec![self.reload()]; // there may be more than one page
        }
        self.scroll = 0;
        self.outcome = None;
        self.go(self.at)
    }

    /// Whether second opinions are given without knowing the first.
    pub fn blind(&self) -> bool {
        self.filter.second == Some(Second::Blind)
    }

    /// Along the queue, and from page to page.
    fn walk(&mut self, direction: Direction) -> Vec<Effect> {
        let at = direction.moved(self.at, self.queue.items.len());
        let beyond = match direction {
            Direction::Down | Direction::PageDown => self.queue.on,
            Direction::Up | Direction::PageUp => self.queue.back,
            _ => None,
        };
        match beyond.filter(|_| at == self.at) {
            Some(place) => self.turn_to(place),
            None => self.go(at),
        }
    }

    /// Decisions a minute in this session.
    pub fn pace(&self) -> Option<f64> {
        let first = self.decided.first()?;
        let minutes = first.elapsed().as_secs_f64() / 60.0;
        (self.decided.len() > 1 && minutes > 0.0).then(|| (self.decided.len() - 1) as f64 / minutes)
    }
}

impl Pane for State {
    fn refresh(&self) -> Vec<Effect> {
        vec![self.reload()]
    }

    fn tick(&mut self, _front: bool, _jobs: &Jobs) -> Vec<Effect> {
        self.draft().into_iter().collect()
    }

    fn is_typing(&self) -> bool {
        self.mode.is_some()
    }

    fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        self.type_key(key)
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        self.type_text(text);
        Vec::new()
    }

    fn go(&mut self, direction: Direction) -> Vec<Effect> {
        match direction {
            Direction::PageDown | Direction::PageUp if self.lists() => {
                return self.walk(direction);
            }
            Direction::PageDown => self.scroll = self.scroll.saturating_add(8).min(4000),
            Direction::PageUp => self.scroll = self.scroll.saturating_sub(8),
            direction => return self.walk(direction),
        }
        Vec::new()
    }

    fn next_panel(&mut self) {
        self.evidence = !self.evidence;
    }

    fn copy(&self, json: bool) -> Option<String> {
        let item = self.current()?;
        if json { serde_json::to_string_pretty(item).ok() } else { Some(item.text().to_string()) }
    }
    fn badge(&self, _jobs: &Jobs, _theme: Theme) -> String {
        let pending = self.queue.verdict_counts[0];
        if pending > 0 { format!("·{pending}") } else { String::new() }
    }

    fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        view::draw(self, theme, frame, area);
    }
}
