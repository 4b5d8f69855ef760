//! Curate's filters: the ones that are always there, one for each rule with how many it would
//! leave, and those a person keeps.

use crossterm::event::KeyCode;

use super::{Mode, State};
use crate::curation::rules;
use crate::experience::Verdict;
use crate::store::{Filter, Second};
use crate::tui::effect::Effect;
use crate::tui::keys::selected;

impl State {
    /// The filters to choose from: kept ones, those that are always there, then one for each rule,
    /// those first that point at most.
    pub fn filters(&self) -> Vec<Filter> {
        let pending = || Filter::verdict(Some(Verdict::Pending));
        let always = [
            pending(),
            Filter { suspected: true, ..pending() },
            Filter::verdict(Some(Verdict::Approved)),
            Filter::verdict(Some(Verdict::Rejected)),
            Filter { flagged: true, ..Filter::default() },
            Filter { second: Some(Second::Blind), ..Filter::default() },
            Filter { second: Some(Second::Differs), ..Filter::default() },
            Filter::default(),
        ];
        // Several rules may speak of one reason.
        let mut codes: Vec<&str> = Vec::new();
        for (code, _) in rules() {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        codes.sort_by_key(|code| std::cmp::Reverse(self.points_at(code)));
        let by_rule = codes.into_iter().map(|code| Filter { rule: Some(code.into()), ..pending() });
        self.saved.iter().cloned().chain(always).chain(by_rule).collect()
    }

    /// How many pending reflections a rule points at, once that is counted.
    pub fn points_at(&self, rule: &str) -> Option<usize> {
        let counts = self.pointed.as_ref()?;
        Some(counts.iter().find(|(code, _)| code == rule).map_or(0, |(_, count)| *count))
    }

    /// Takes in the counts; the cursor stays on its filter.
    pub(super) fn pointed(&mut self, counts: Vec<(String, usize)>) {
        let before = self.filters();
        self.pointed = Some(counts);
        if let Some(Mode::Filters(at)) = self.mode {
            let found = before
                .get(at)
                .and_then(|filter| self.filters().iter().position(|other| other == filter));
            self.mode = Some(Mode::Filters(found.unwrap_or(at)));
        }
    }

    /// A key while a filter is chosen.
    pub(super) fn choose_filter(&mut self, at: usize, code: KeyCode) -> Vec<Effect> {
        let all = self.filters();
        let next = match code {
            KeyCode::Esc | KeyCode::Char('q' | 'F') => return Vec::new(),
            KeyCode::Enter => {
                return all.get(at).cloned().map_or_else(Vec::new, |filter| self.filter_by(filter));
            }
            KeyCode::Char('s') => {
                if !all.contains(&self.filter) {
                    self.saved.insert(0, self.filter.clone());
                }
                0
            }
            KeyCode::Char('d') if at < self.saved.len() => {
                self.saved.remove(at);
                at.saturating_sub(1)
            }
            code => selected(at, all.len(), code),
        };
        self.mode = Some(Mode::Filters(next));
        Vec::new()
    }
}

/// The filter after this one; words that are searched for stay.
pub(super) fn next_filter(filter: &Filter) -> Filter {
    let words = filter.words.clone();
    let of = |verdict, flagged, suspected| Filter {
        verdict,
        flagged,
        suspected,
        rule: None,
        second: None,
        words,
    };
    match (filter.verdict, filter.flagged, filter.suspected) {
        (Some(Verdict::Pending), _, false) => of(Some(Verdict::Pending), false, true),
        (Some(Verdict::Pending), _, true) => of(Some(Verdict::Approved), false, false),
        (Some(Verdict::Approved), ..) => of(Some(Verdict::Rejected), false, false),
        (Some(Verdict::Rejected), ..) => of(None, true, false),
        (None, true, _) => of(None, false, false),
        (None, false, _) => of(Some(Verdict::Pending), false, false),
    }
}

/// A filter in words.
pub fn filter_word(filter: &Filter) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(filter.verdict.map(|verdict| verdict.as_str().to_string()));
    words.extend(filter.flagged.then(|| "flagged".to_string()));
    words.extend(filter.suspected.then(|| "suspected".to_string()));
    words.extend(filter.rule.clone());
    words.extend(filter.second.map(|second| {
        let text = match second {
            Second::Blind => "second opinions, blind",
            Second::Differs => "second opinion differs",
        };
        text.to_string()
    }));
    if words.is_empty() {
        words.push("all".into());
    }
    words.extend((!filter.words.is_empty()).then(|| format!("with “{}”", filter.words)));
    words.join(", ")
}
