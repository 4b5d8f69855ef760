//! Train, while the form before a run is filled in or the name of a curve is typed.

use clap::ValueEnum;
use crossterm::event::{Event, KeyCode, KeyEvent};
use regex::{Regex, RegexBuilder};
use tui_input::backend::crossterm::EventHandler;

use super::State;
use crate::experience::UNIFORM;
use crate::selection::{ALL, Criteria, HELD_OUT};
use crate::store::Checkpoint;
use crate::train::Forecast;
use crate::train::{Budget, Objective, Plan};
use crate::tui::effect::{Effect, JobCmd, RunCmd, StoreCmd};
use crate::tui::keys::Direction;
use crate::tui::text::pasted;

/// Models that a run can start from, beside checkpoints, and how the form says it.
pub const STARTS: [(&str, &str); 2] = [
    ("embedded", "the embedded model"),
    ("novice", "the novice: little trained, to watch it learn"),
];

/// The form before a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// Index into [`OBJECTIVES`].
    pub objective: usize,
    /// Updates.
    pub steps: u64,
    /// What it starts from, by the name that commands take.
    pub start: String,
    /// Trajectories an update.
    pub batch: usize,
    /// Peak learning rate.
    pub rate: f64,
    /// The rank of an adapter, if one is trained in place of the weights.
    pub lora: Option<usize>,
    /// Seed of the data order.
    pub seed: u64,
    /// Whose demonstrations; without a name there is only one expert.
    pub expert: Option<String>,
    /// The pool of alternatives that world modelling trains on.
    pub pool: String,
    /// At most so many of a state's alternatives.
    pub k: Option<usize>,
    /// How many updates world modelling and imitation get.
    pub matched: Budget,
    /// The share of instances that is kept out of training.
    pub held_out: f64,
    /// Whether it waits until another run ends.
    pub queue: bool,
    /// What it would take, once that is worked out.
    pub forecast: Option<Result<Forecast, String>>,
}

impl Default for Form {
    fn default() -> Self {
        let expert = None;
        let pool = UNIFORM.to_string();
        let k = None;
        Self {
            objective: 0,
            steps: 200,
            start: STARTS[0].0.to_string(),
            batch: 8,
            rate: 5e-4,
            lora: None,
            seed: 1,
            expert,
            pool,
            k,
            matched: Budget::default(),
            held_out: HELD_OUT,
            queue: false,
            forecast: None,
        }
    }
}

/// How many of a state's alternatives a run can be limited to.
const KS: [Option<usize>; 6] = [None, Some(0), Some(1), Some(2), Some(4), Some(8)];

/// Learning rates, batches and ranks that a key goes through; a command takes any.
const RATES: [f64; 7] = [5e-4, 1e-3, 2e-3, 5e-3, 5e-5, 1e-4, 2e-4];
const BATCHES: [usize; 6] = [8, 16, 32, 1, 2, 4];
const RANKS: [Option<usize>; 5] = [None, Some(4), Some(8), Some(16), Some(32)];

/// Seeds that a key goes through.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// Shares of instances that can be held out.
const HELD: [f64; 4] = [HELD_OUT, 0.1, 0.2, 0.0];

/// The one after what is chosen now, all of them in turn.
fn next<T: PartialEq + Clone>(all: &[T], now: &T) -> Option<T> {
    let at = all.iter().position(|one| one == now).map_or(0, |at| (at + 1) % all.len().max(1));
    all.get(at).cloned()
}

/// What a run can optimise, and how the form says it.
pub const OBJECTIVES: [(Objective, &str); 3] = [
    (Objective::Imitation, "the expert's actions"),
    (Objective::WorldModel, "next states of executed actions, then imitation"),
    (Objective::Reflection, "approved reflections mixed with imitation"),
];

/// The command that starts the same run.
pub fn command(plan: &Plan, start: &str) -> String {
    let usual = Plan::new(plan.objective, plan.steps, plan.seed);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:,=@%".contains(c);
    let quoted = |text: &str| {
        if text.chars().all(is_plain) {
            text.to_string()
        } else {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
    };
    let mut said = vec![format!(
        "foretaste train --objective {} --steps {} --from {} --rate {}",
        plan.objective.as_str(),
        plan.steps,
        quoted(start),
        plan.rate
    )];
    let Criteria { suite, split, expert, pool, k, held_out, .. } = &plan.data;
    let mut add = |flag: &str, value: Option<String>| {
        said.extend(value.map(|value| format!("{flag} {}", quoted(&value))));
    };
    add("--suite", suite.clone().filter(|suite| usual.data.suite.as_ref() != Some(suite)));
    add("--split", split.clone().filter(|split| usual.data.split.as_ref() != Some(split)));
    add("--batch", (plan.batch != usual.batch).then(|| plan.batch.to_string()));
    add("--lora", plan.lora.map(|rank| rank.to_string()));
    add("--seed", (plan.seed != 1).then(|| plan.seed.to_string()));
    add("--expert", expert.clone());
    add("--branches", (*pool != usual.data.pool).then(|| pool.clone()));
    add("-k", k.map(|k| k.to_string()));
    add("--held-out", (held_out.to_bits() != HELD_OUT.to_bits()).then(|| held_out.to_string()));
    let matched = plan.matched.to_possible_value().filter(|_| plan.matched != usual.matched);
    add("--match", matched.map(|value| value.get_name().to_string()));
    said.join(" ")
}

/// A pattern for names, whatever their case; an empty one fits all.
pub fn pattern(typed: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(typed.trim()).case_insensitive(true).build()
}

impl State {
    pub(super) fn plan(&self, form: &Form) -> Box<Plan> {
        let plan = Plan::new(OBJECTIVES[form.objective].0, form.steps, form.seed);
        let Form { expert, mut pool, mut k, mut matched, held_out, .. } = form.clone();
        let Form { batch, rate, lora, .. } = *form;
        if plan.objective != Objective::WorldModel {
            pool = UNIFORM.into();
            k = None;
            matched = Budget::default();
        }
        let data =
            Criteria { suite: self.suite.clone(), expert, pool, k, held_out, ..plan.data.clone() };
        Box::new(Plan { batch, rate, data, lora, matched, ..plan })
    }

    /// Asks what the form's run would take.
    pub(super) fn ask(&self) -> Vec<Effect> {
        let asked = |form: &Form| {
            let start = form.start.clone();
            Effect::Store(StoreCmd::Run(RunCmd::Forecast(self.plan(form), start)))
        };
        self.form.as_ref().map(asked).into_iter().collect()
    }

    /// Takes a key while the form is open or words are typed; none otherwise.
    pub(super) fn type_key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        if let Some(mut input) = self.searching.take() {
            match key.code {
                KeyCode::Esc => {}
                KeyCode::Enter if pattern(input.value()).is_ok() => {
                    self.words = input.value().trim().to_string();
                }
                _ => {
                    input.handle_event(&Event::Key(key));
                    self.searching = Some(input);
                }
            }
            return Some(Vec::new());
        }
        let mut form = self.form.take()?;
        let before = form.clone();
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Some(Vec::new()),
            // It says why it cannot start.
            KeyCode::Enter if matches!(form.forecast, Some(Err(_))) => {}
            KeyCode::Enter => {
                let plan = self.plan(&form);
                let start = form.start;
                return Some(vec![if form.queue {
                    Effect::Store(StoreCmd::Run(RunCmd::Queue(plan, start)))
                } else {
                    Effect::Job(JobCmd::Train(plan, start))
                }]);
            }
            KeyCode::Char('j') | KeyCode::Down => {
                form.objective = Direction::Down.moved(form.objective, 3);
            }
            KeyCode::Char('k') | KeyCode::Up => {
                form.objective = Direction::Up.moved(form.objective, 3);
            }
            KeyCode::Char(digit @ '1'..='3') => {
                form.objective = digit.to_digit(10).map_or(0, |d| d as usize - 1);
            }
            KeyCode::Char('e') => {
                let names = self.experts.iter().map(|(name, _)| Some(name.clone()));
                let all: Vec<Option<String>> = names.chain([Some(ALL.to_string())]).collect();
                form.expert = next(&all, &form.expert).filter(|_| self.experts.len() > 1).flatten();
            }
            KeyCode::Char('p') => {
                let mut all: Vec<String> =
                    self.pools.iter().map(|count| count.pool.clone()).collect();
                all.dedup();
                all.push(ALL.into());
                form.pool = next(&all, &form.pool).unwrap_or(form.pool);
            }
            KeyCode::Char('v') => form.held_out = next(&HELD, &form.held_out).unwrap_or(HELD_OUT),
            KeyCode::Char('n') => form.k = next(&KS, &form.k).unwrap_or_default(),
            KeyCode::Char('b') => {
                form.matched =
                    next(&[Budget::Stage2, Budget::Total, Budget::Tokens], &form.matched)
                        .unwrap_or_default();
            }
            KeyCode::Char('s') => {
                let models = STARTS.iter().map(|(name, _)| (*name).to_string());
                let saved = self.checkpoints.iter().map(Checkpoint::name);
                let all: Vec<String> = models.chain(saved).collect();
                form.start = next(&all, &form.start).unwrap_or(form.start);
            }
            KeyCode::Char('r') => form.rate = next(&RATES, &form.rate).unwrap_or(form.rate),
            KeyCode::Char('t') => form.batch = next(&BATCHES, &form.batch).unwrap_or(form.batch),
            KeyCode::Char('a') => form.lora = next(&RANKS, &form.lora).unwrap_or_default(),
            KeyCode::Char('d') => form.seed = next(&SEEDS, &form.seed).unwrap_or(form.seed),
            KeyCode::Char('y') => {
                let command = command(&self.plan(&form), &form.start);
                self.form = Some(form);
                return Some(vec![Effect::Copy(command)]);
            }
            KeyCode::Char('+' | '=' | 'l') | KeyCode::Right => {
                form.steps = (form.steps + 50).min(100_000);
            }
            KeyCode::Char('-' | 'h') | KeyCode::Left => {
                form.steps = form.steps.saturating_sub(50).max(10);
            }
            _ => {}
        }
        let changed = before != form;
        // Another number of updates only scales the cost; anything else is worked out anew.
        if changed {
            let plan = self.plan(&form);
            let scaled =
                Form { steps: form.steps, matched: form.matched, ..before.clone() } == form;
            form.forecast = form
                .forecast
                .filter(|_| scaled)
                .and_then(Result::ok)
                .map(|known| Ok(known.of(&plan)));
        }
        let anew = changed && form.forecast.is_none();
        let data = self.plan(&form).data;
        let whose = (before.expert != form.expert).then_some(Effect::Store(StoreCmd::Run(
            RunCmd::Choices(data.suite, data.split, data.expert),
        )));
        self.form = Some(form);
        Some(whose.into_iter().chain(if anew { self.ask() } else { Vec::new() }).collect())
    }

    /// Takes pasted text.
    pub(super) fn type_text(&mut self, text: &str) {
        if let Some(input) = &mut self.searching {
            pasted(input, text);
        }
    }
}

#[cfg(test)]
#[path = "typing_tests.rs"]
mod tests;
