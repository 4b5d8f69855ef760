//! The loop.

use super::front::{kept, mean, select};
use super::rewrite::{request, text_of};
use super::{Item, Journal, Plan, Scored, Trial};
use crate::control::Control;
use crate::digest::{self, hex};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// A candidate that was tried on all items for validation.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Known {
    /// The text.
    pub text: String,
    /// The candidate that it was rewritten from; none of the first.
    pub parent: Option<usize>,
    /// Its score on each item for validation.
    pub scores: Vec<f64>,
    /// Trials that had been made when it was known.
    pub trials: u64,
}

impl Known {
    /// Its mean score.
    pub fn mean(&self) -> f64 {
        mean(&self.scores)
    }
}

/// What an optimisation came to.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Outcome {
    /// All candidates, the first text first.
    pub candidates: Vec<Known>,
    /// The best on average; of equals the first.
    pub best: usize,
    /// Those that are best on some item and not dominated.
    pub front: Vec<usize>,
    /// Trials that were made.
    pub trials: u64,
    /// Texts that were written, and what became of those that are no candidates.
    pub written: Written,
}

/// Texts that were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// All of them.
    pub all: u64,
    /// Did no better on the items they were made by.
    pub no_better: u64,
    /// Did better there, with nothing left of the budget to compare them by.
    pub no_room: u64,
    /// Were not tried: known already, unfit, or beyond the budget.
    pub untried: u64,
}

struct Loop<'a> {
    plan: &'a Plan,
    trial: &'a mut dyn Trial,
    journal: &'a mut dyn Journal,
    control: &'a Control,
    trials: u64,
    candidates: Vec<Known>,
    written: Written,
}

/// Rewrites `text` until the budget is spent. `each` is told how it stands after every iteration.
///
/// # Errors
/// Where a trial or the writer fails; run again with the same journal, it goes on.
pub fn optimise(
    text: &str,
    plan: &Plan,
    trial: &mut dyn Trial,
    journal: &mut dyn Journal,
    control: &Control,
    each: &mut dyn FnMut(&Outcome),
) -> Result<Outcome> {
    plan.vet()?;
    let candidates = Vec::new();
    let mut all =
        Loop { plan, trial, journal, control, trials: 0, candidates, written: Written::default() };
    all.know(text, None)?;
    each(&all.outcome());
    let mut order: Vec<usize> = Vec::new();
    for iteration in 0.. {
        let least = plan.minibatch as u64;
        if all.trials + least > plan.budget || iteration >= plan.budget {
            break;
        }
        if order.len() < plan.minibatch {
            order = (0..plan.train).collect();
            Rng::stream(plan.seed, &format!("epoch {iteration}")).shuffle(&mut order);
        }
        let batch: Vec<Item> = order.drain(..plan.minibatch).map(Item::Train).collect();
        all.iterate(iteration, &batch)?;
        each(&all.outcome());
    }
    Ok(all.outcome())
}

impl Loop<'_> {
    fn outcome(&self) -> Outcome {
        let scores: Vec<Vec<f64>> =
            self.candidates.iter().map(|known| known.scores.clone()).collect();
        let mut best = 0;
        for (at, known) in self.candidates.iter().enumerate() {
            if known.mean() > self.candidates[best].mean() {
                best = at;
            }
        }
        Outcome {
            candidates: self.candidates.clone(),
            best,
            front: kept(&scores).into_iter().collect(),
            trials: self.trials,
            written: self.written,
        }
    }

    /// Tries a text on items, as far as that is not known under `name`.
    fn tried(&mut self, name: &str, text: &str, items: &[Item]) -> Result<Vec<Scored>> {
        // Of this text alone: with more to spend another one may be tried at the same turn.
        let of = hex(digest::of([text]));
        let named = |item: &Item| match item {
            Item::Train(i) => format!("{name} {of} train {i}"),
            Item::Validation(i) => format!("{name} {of} validation {i}"),
        };
        let mut found: Vec<Option<Scored>> = Vec::with_capacity(items.len());
        for item in items {
            found.push(match self.journal.known(&named(item))? {
                Some(answer) => Some(serde_json::from_str(&answer).map_err(|e| {
                    Error::new(format!("the journal's `{}` cannot be read: {e}", named(item)))
                })?),
                None => None,
            });
        }
        let open: Vec<usize> = (0..items.len()).filter(|i| found[*i].is_none()).collect();
        if !open.is_empty() {
            self.control.checkpoint()?;
            let asked: Vec<Item> = open.iter().map(|i| items[*i]).collect();
            let Self { trial, journal, .. } = self;
            trial.run(text, &asked, &mut |at, scored| {
                let place = *open.get(at).ok_or_else(|| Error::new("a trial of no item"))?;
                journal.keep(&named(&items[place]), &serde_json::json!(scored).to_string())?;
                found[place] = Some(scored);
                Ok(())
            })?;
        }
        self.trials += items.len() as u64;
        let all: Vec<Scored> = found.into_iter().flatten().collect();
        if all.len() < items.len() {
            return Err(Error::new("some items were not tried to their end")
                .hint("what is known is kept; run it again"));
        }
        Ok(all)
    }

    /// Tries a text on all items for validation and keeps it.
    fn know(&mut self, text: &str, parent: Option<usize>) -> Result<()> {
        let items: Vec<Item> = (0..self.plan.validation).map(Item::Validation).collect();
        let name = format!("candidate {}", self.candidates.len());
        let scores = self.tried(&name, text, &items)?.iter().map(|one| one.score).collect();
        let trials = self.trials;
        self.candidates.push(Known { text: text.into(), parent, scores, trials });
        Ok(())
    }

    fn iterate(&mut self, iteration: u64, batch: &[Item]) -> Result<()> {
        let scores: Vec<Vec<f64>> =
            self.candidates.iter().map(|known| known.scores.clone()).collect();
        let mut rng = Rng::stream(self.plan.seed, &format!("select {iteration}"));
        let parent = select(&scores, self.plan.select, &mut rng);
        let text = self.candidates[parent].text.clone();
        let lessons = self.tried(&format!("iteration {iteration} before"), &text, batch)?;
        let before: f64 = lessons.iter().map(|one| one.score).sum();
        // Nothing is to be learnt from what went well.
        if lessons.iter().all(|one| one.score >= 1.0) {
            return Ok(());
        }
        let asked = request(&text, &lessons);
        let name = format!("iteration {iteration} written {}", hex(digest::of([asked.as_str()])));
        let answer = if let Some(answer) = self.journal.known(&name)? {
            answer
        } else {
            self.control.checkpoint()?;
            let answer = self.trial.rewrite(&asked)?;
            self.journal.keep(&name, &answer)?;
            answer
        };
        let new = text_of(&answer);
        self.written.all += 1;
        let known = self.candidates.iter().any(|known| known.text == new);
        let enough = self.trials + batch.len() as u64 <= self.plan.budget;
        if new.is_empty() || known || !enough || self.trial.vet(&new).is_some() {
            self.written.untried += 1;
            return Ok(());
        }
        let after = self.tried(&format!("iteration {iteration} after"), &new, batch)?;
        let after: f64 = after.iter().map(|one| one.score).sum();
        // What cannot be tried on all items for validation any more is no candidate.
        let room = self.trials + self.plan.validation as u64 <= self.plan.budget;
        if after <= before {
            self.written.no_better += 1;
            return Ok(());
        }
        if !room {
            self.written.no_room += 1;
            return Ok(());
        }
        self.know(&new, Some(parent))
    }
}
