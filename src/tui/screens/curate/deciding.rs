//! Curate, decisions on their way to the store: what they are about, and whether a person is asked
//! once more.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crossterm::event::KeyCode;

use super::{Beside, Held, Mode, State};
use crate::curation::{Finding, findings};
use crate::experience::Reflection;
use crate::store::{Decision, Seen};
use crate::tui::effect::{Effect, StoreCmd};

/// Who writes a person's own versions.
pub(super) const PERSON: &str = "you";

impl State {
    /// Whether the store makes a decision wait, so that a person should know: keys do nothing
    /// meanwhile.
    pub fn is_held_up(&self) -> bool {
        self.waiting.is_some_and(|since| since.elapsed() > Duration::from_millis(300))
    }

    /// What a person sees of a listed reflection.
    pub(super) fn seen_of(&self, item: &Reflection) -> Seen {
        Seen { text: item.text().to_string(), verdict: (!self.blind()).then_some(item.verdict) }
    }

    /// The item in front, as it is seen.
    fn front(&self) -> Vec<(i64, Seen)> {
        self.current().map(|item| (item.id, self.seen_of(item))).into_iter().collect()
    }

    /// What the keys of decisions are about: what is selected in the list, else the item in front.
    pub fn subject(&self) -> Vec<(i64, Seen)> {
        if self.selects() { self.list.chosen() } else { self.front() }
    }

    /// What a decision about many is about: what is selected, else everything listed.
    pub(super) fn many(&self) -> Vec<(i64, Seen)> {
        if self.selects() {
            return self.list.chosen();
        }
        self.queue.items.iter().map(|item| (item.id, self.seen_of(item))).collect()
    }

    /// What the choice that is open is about.
    pub(super) fn seen(&self) -> Vec<i64> {
        let about = match &self.mode {
            None | Some(Mode::Search(_) | Mode::Filters(_) | Mode::Moved) => Vec::new(),
            Some(Mode::Bulk | Mode::Note(_, Beside::Bulk)) => self.many(),
            Some(Mode::Edit(_) | Mode::Writer | Mode::Attempts(..)) => self.front(),
            Some(Mode::Reject | Mode::Sure(..) | Mode::Note(..)) => self.subject(),
        };
        about.into_iter().map(|(id, _)| id).collect()
    }

    /// Sends a decision about the item in front; the next one waits until the store has it.
    pub(super) fn decide(&mut self, decision: Decision) -> Vec<Effect> {
        self.send(self.front(), decision)
    }

    /// Sends a decision, with the words that were said beside it.
    pub(super) fn send(&mut self, mut about: Vec<(i64, Seen)>, decision: Decision) -> Vec<Effect> {
        let decision = match decision {
            Decision::Approve if self.blind() => Decision::Second(None),
            Decision::Reject(code) if self.blind() => Decision::Second(Some(code)),
            decision => decision,
        };
        if self.waiting.is_some() || about.is_empty() {
            return Vec::new();
        }
        let note = self.note.take();
        self.waiting = Some(Instant::now());
        let command = match about.pop() {
            Some((id, seen)) if about.is_empty() => StoreCmd::Decide(id, seen, decision, note),
            last => {
                about.extend(last);
                StoreCmd::DecideAll(about, decision, note)
            }
        };
        vec![Effect::Store(command)]
    }

    /// A decision by one key: asked about where it is about many.
    pub(super) fn ask_or(&mut self, decision: Decision) -> Vec<Effect> {
        if !self.selects() {
            return self.ask_about(decision);
        }
        let subject = self.subject();
        let grave = decision == Decision::Approve && self.grave_among(&subject).0 > 0;
        if subject.len() > 1 || grave {
            self.mode = Some(Mode::Sure(decision, subject));
            return Vec::new();
        }
        self.send(subject, decision)
    }

    /// Among so many: of how many a rule says that they would teach something wrong, and against
    /// how many no rule was held yet.
    pub(super) fn grave_among(&self, about: &[(i64, Seen)]) -> (usize, usize) {
        let ids: HashSet<i64> = about.iter().map(|(id, _)| *id).collect();
        let listed = self.queue.items.iter().filter(|item| ids.contains(&item.id));
        let held: Vec<&Held> = listed.filter_map(|item| self.list.held(item)).collect();
        (held.iter().filter(|held| held.grave).count(), ids.len().saturating_sub(held.len()))
    }

    /// Decides on the item in front, or asks first: where a rule says that what would be approved
    /// teaches something wrong.
    pub(super) fn ask_about(&mut self, decision: Decision) -> Vec<Effect> {
        let Some(item) = self.current().filter(|_| !self.blind() && self.waiting.is_none()) else {
            return self.decide(decision);
        };
        // What a person wrote is not approved before the rules were held against it.
        let doubtful = match (&decision, self.findings_at_stake(&decision)) {
            (Decision::Approve | Decision::Edit(_), Some(found)) => {
                found.iter().any(Finding::is_grave)
            }
            (Decision::Approve, None) => item.author == PERSON,
            (decision, _) => matches!(decision, Decision::Edit(_)),
        };
        if !doubtful {
            return self.decide(decision);
        }
        let draft = if let Decision::Edit(text) = &decision { Some(text.clone()) } else { None };
        let kept = draft.map(|text| Effect::Store(StoreCmd::Draft(item.id, Some(text))));
        self.mode = Some(Mode::Sure(decision, self.front()));
        kept.into_iter().collect()
    }

    /// What rules point at in the text that a decision about the item in front lets stand; none
    /// while that cannot be known.
    pub(super) fn findings_at_stake(&self, decision: &Decision) -> Option<Vec<Finding>> {
        let item = self.current()?;
        let text = if let Decision::Edit(text) = decision { text } else { item.text() };
        self.findings_in(item, text)
    }

    /// What rules point at in a text about a listed item; none while its evidence is not here.
    /// Where that is gone from the store, they have nothing to point with.
    pub(super) fn findings_in(&self, item: &Reflection, text: &str) -> Option<Vec<Finding>> {
        let case = self.cases.get(&item.id)?.case.as_ref();
        Some(case.map(|case| findings(text, case)).unwrap_or_default())
    }

    /// A key while a decision is asked about.
    pub(super) fn make_sure(
        &mut self,
        decision: Decision,
        about: Vec<(i64, Seen)>,
        code: KeyCode,
    ) -> Vec<Effect> {
        match code {
            KeyCode::Enter => self.send(about, decision),
            KeyCode::Esc | KeyCode::Char('q' | 'n') => Vec::new(),
            _ => {
                self.mode = Some(Mode::Sure(decision, about));
                Vec::new()
            }
        }
    }

    /// Takes words that were typed beside a decision: an act of their own, or the next one's.
    pub(super) fn noted(&mut self, words: &str, beside: Beside) -> Vec<Effect> {
        let words = words.trim().to_string();
        match beside {
            Beside::Nothing if words.is_empty() => Vec::new(),
            Beside::Nothing => self.send(self.subject(), Decision::Note(words)),
            Beside::Rejection | Beside::Bulk => {
                self.note = Some(words).filter(|words| !words.is_empty());
                self.mode = Some(if beside == Beside::Bulk { Mode::Bulk } else { Mode::Reject });
                Vec::new()
            }
        }
    }
}
