//! Training sets for other trainers: JSONL of chat messages, one example a line (`expert_sft`, `iwm_sft`,
//! `reflection_sft` of the authors' data layout). The state is rendered the same way in all three; the loss belongs on
//! the last assistant turn. And whole trajectories with what hangs off them, one a line, for another store.

pub mod import;
pub mod story;

use std::io::Write;
use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::agent::prompt::{first_observation, told};
use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::experience::State;
use crate::paths::write_whole;
use crate::selection::{Carry, Chosen, Criteria, Selection};
use crate::store::Store;
use crate::text::escaped;

/// Which training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Set {
    /// The expert's action in each state (`expert_sft`).
    Imitation,
    /// The next state of each executed action, the expert's included (`iwm_sft`).
    WorldModel,
    /// An approved reflection and then the expert's action (`reflection_sft`).
    Reflection,
    /// Demonstrations and explorations whole, with alternatives and reflections, as `data import` reads them.
    Trajectories,
}

impl Set {
    /// All of them, with the names of their files.
    pub const ALL: [(Self, &str); 4] = [
        (Self::Imitation, "expert_sft"),
        (Self::WorldModel, "iwm_sft"),
        (Self::Reflection, "reflection_sft"),
        (Self::Trajectories, "trajectories"),
    ];
}

/// How observations stand in a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Observations {
    /// As a run here is trained on them, and common agent harnesses give them: without the engine's banner, the repeated
    /// task line, and the location's number that the older wording puts in front of an arrival.
    #[default]
    Stripped,
    /// Byte for byte as the engine printed them.
    Original,
}

impl Observations {
    fn told(self, observation: &str) -> &str {
        if self == Self::Stripped { told(observation) } else { observation }
    }
}

/// What is to be exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Which set.
    pub set: Set,
    /// What of the store; of whole trajectories only suite and split count.
    pub criteria: Criteria,
    /// The held-out trajectories, in place of those that are trained on.
    pub held_out: bool,
    /// How observations stand in the prompts of a training set.
    pub observations: Observations,
}

/// What an export comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// Lines.
    pub lines: usize,
    /// Bytes, with the ends of the lines.
    pub bytes: u64,
    /// Trajectories that are left out because they are held out.
    pub held_out: usize,
}

/// To act, one prompt, with a thought or without: what is trained on reflections answers the very prompt that imitation
/// does (paper, section 4.3).
const ACT: &str = "You act in a text environment. Give the next action in <action></action>; you may think before it in \
                   <think></think>.";
const PREDICT: &str = "You predict what a text environment answers. Answer with the next observation only.";

fn prompt(state: &State, how: Observations) -> String {
    let mut text = match how {
        Observations::Stripped => {
            format!("Task: {}\n\n{}", state.task.trim(), first_observation(&state.observation, &state.task))
        }
        Observations::Original => state.observation.clone(),
    };
    for (action, observation) in &state.history {
        text.push_str(&format!("\n\n> {action}\n{}", how.told(observation)));
    }
    text
}

fn example(system: &str, user: &str, assistant: &str) -> Value {
    json!({"messages": [
        {"role": "system", "content": system},
        {"role": "user", "content": user},
        {"role": "assistant", "content": assistant},
    ]})
}

/// Calls `each` with every line of an export, in the order of the store; `report` hears of every trajectory.
pub fn export(
    store: &Store,
    order: &Order,
    control: &Control,
    report: &mut dyn FnMut(Progress),
    each: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Extent> {
    let mut extent = Extent::default();
    let mut emit = |line: String| {
        // The same text to whoever parses it, and nothing that drives a terminal it is shown on.
        let line = escaped(&line);
        extent.lines += 1;
        extent.bytes += line.len() as u64 + 1;
        each(&line)
    };
    let (suite, split) = (order.criteria.suite.as_deref(), order.criteria.split.as_deref());
    if order.set == Set::Trajectories {
        let rows = store.experiences(suite, split)?;
        let meter = Meter::new("export", 0, rows.len() as u64);
        for (i, row) in rows.iter().enumerate() {
            control.checkpoint()?;
            let line = serde_json::to_string(&store.record(row.id)?);
            emit(line.map_err(|e| Error::new(format!("trajectory {}: {e}", row.id)))?)?;
            report(meter.at(i as u64 + 1));
        }
        return Ok(extent);
    }
    let carry = Carry { branches: order.set == Set::WorldModel, reflections: order.set == Set::Reflection };
    let selection = Selection::choose(store, &order.criteria, carry)?;
    let meter = Meter::new("export", 0, selection.items.len() as u64);
    for (i, item) in selection.items.iter().enumerate() {
        control.checkpoint()?;
        if item.held_out == order.held_out {
            examples(&item.read(store)?, item.demonstration, order, &mut |line| emit(line.to_string()))?;
        } else {
            extent.held_out += usize::from(item.held_out);
        }
        report(meter.at(i as u64 + 1));
    }
    Ok(extent)
}

/// The examples of one trajectory.
fn examples(of: &Chosen, demonstration: bool, order: &Order, emit: &mut dyn FnMut(Value) -> Result<()>) -> Result<()> {
    let Chosen { trajectory, branches, reflections } = of;
    for (t, step) in trajectory.steps.iter().enumerate() {
        let how = order.observations;
        let state = prompt(&trajectory.state(t), how);
        match order.set {
            Set::Imitation if demonstration => {
                emit(example(ACT, &state, &format!("<action>{}</action>", step.action)))?;
            }
            Set::WorldModel if demonstration => {
                let expert = std::iter::once((step.action.as_str(), step.observation.as_str()));
                let others = branches.iter().filter(|b| b.t == t).map(|b| (b.action.as_str(), b.observation.as_str()));
                for (action, observation) in expert.chain(others) {
                    emit(example(PREDICT, &format!("{state}\n\n> {action}"), how.told(observation)))?;
                }
            }
            Set::Reflection => {
                for reflection in reflections.iter().filter(|reflection| reflection.t == t) {
                    let answer = format!("<think>{}</think><action>{}</action>", reflection.text.trim(), step.action);
                    emit(example(ACT, &state, &answer))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// [`export`] into a new file, which appears only when it is complete.
pub fn export_file(
    store: &Store,
    order: &Order,
    path: &Path,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Extent> {
    write_whole(path, false, |file| {
        let failed = |e: &std::io::Error| Error::io("writing", path, e);
        export(store, order, control, report, &mut |line| writeln!(file, "{line}").map_err(|e| failed(&e)))
    })
}
