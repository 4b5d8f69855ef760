//! Training sets for other trainers: JSONL of chat messages, one example a line (`expert_sft`,
//! `iwm_sft`, `reflection_sft` of the authors' data layout). The state is rendered the same way in
//! all three; the loss belongs on the last assistant turn. And whole trajectories with what hangs
//! off them, one a line, for another store.

mod columns;
pub mod curves;
pub mod import;
mod manifest;
mod others;
mod recipe;
mod rows;
mod tokens;
pub mod transcript;

use std::io::Write;
use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use self::columns::Rows;
pub use self::manifest::manifest_of;
pub use self::others::SHAPES;
use self::recipe::{Recipe, Trainer};
use self::tokens::Tokens;
pub use crate::agent::prompt::Questions;
pub use crate::agent::prompt::chat::Observations;
use crate::agent::prompt::chat::{Message, Question, Role, answer, messages};
use crate::control::{Control, Meter, Progress};
use crate::error::{Error, Result};
use crate::experience::Branch;
use crate::paths::write_whole;
use crate::selection::{Carry, Chosen, Criteria, Selection};
use crate::store::Store;
use crate::text::escaped;
use crate::train::examples::Roles;

/// Which training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Set {
    /// The expert's action in each state (`expert_sft`).
    Imitation,
    /// The next state of each executed action, the expert's included (`iwm_sft`).
    WorldModel,
    /// An approved reflection and then the expert's action (`reflection_sft`).
    Reflection,
    /// The expert's action, and an executed alternative that is worse (pairs for preference
    /// optimisation)
    Preference,
    /// Demonstrations and explorations whole, with alternatives and reflections, as `data import`
    /// reads them.
    Trajectories,
}

impl Set {
    /// All of them, with the names of their files.
    pub const ALL: [(Self, &str); 5] = [
        (Self::Imitation, "expert_sft"),
        (Self::WorldModel, "iwm_sft"),
        (Self::Reflection, "reflection_sft"),
        (Self::Preference, "dpo_pairs"),
        (Self::Trajectories, "trajectories"),
    ];
}

/// How an example stands in its line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `messages`, the last one the answer: OpenAI's fine-tuning, TRL, LLaMA-Factory, axolotl, verl
    #[default]
    Messages,
    /// `prompt` and `completion`, each messages (TRL: the loss is on the completion alone)
    PromptCompletion,
    /// `input_ids` and `completion_mask` of a model (--model): the tokens that a run here computes
    Tokens,
    /// Parquet of `messages`, for verl's supervised tuning
    Verl,
    /// Of imitation: parquet of tasks, each a state with the expert's action as its ground truth (verl's
    /// reinforcement learning)
    VerlRl,
    /// Messages for LLaMA-Factory, with its settings for a model (--model) beside them
    #[value(name = "llamafactory")]
    #[serde(rename = "llamafactory")]
    LlamaFactory,
    /// Messages for axolotl, with its settings for a model (--model) beside them
    Axolotl,
    /// Of trajectories: Agent Trajectory Interchange Format 1.8, one a line
    Atif,
}

impl Layout {
    /// Whether a set has it.
    pub fn fits(self, set: Set) -> bool {
        match self {
            Self::Messages => true,
            Self::PromptCompletion
            | Self::Tokens
            | Self::Verl
            | Self::LlamaFactory
            | Self::Axolotl => !matches!(set, Set::Trajectories | Set::Preference),
            Self::VerlRl => set == Set::Imitation,
            Self::Atif => set == Set::Trajectories,
        }
    }

    /// Refuses a layout that a set does not have.
    fn of(self, set: Set) -> Result<()> {
        if self.fits(set) {
            return Ok(());
        }
        Err(Error::usage("the set has no such layout (--format)").hint(
            "prompt-completion, tokens, verl, llamafactory and axolotl are of imitation, world-model and reflection; verl-rl of imitation; \
             atif of trajectories; a preference is prompt, chosen and rejected",
        ))
    }

    /// How a file of it ends.
    pub fn extension(self) -> &'static str {
        if self.is_columns() { "parquet" } else { "jsonl" }
    }

    /// Why it is written to a file and not line by line, if so.
    pub fn needs_a_file(self) -> Option<&'static str> {
        if self.is_columns() {
            return Some("parquet is written to a file");
        }
        Trainer::of(self).map(|_| "a trainer's settings stand beside a file")
    }

    /// Whether it is a file of columns, and no lines.
    fn is_columns(self) -> bool {
        matches!(self, Self::Verl | Self::VerlRl)
    }
}

/// What is to be exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Which set.
    pub set: Set,
    /// How an example stands in its line.
    pub layout: Layout,
    /// What of the store; of whole trajectories only suite and split count.
    pub criteria: Criteria,
    /// The held-out trajectories, in place of those that are trained on.
    pub held_out: bool,
    /// Of world modelling, only the next states of alternatives.
    pub alternatives_only: bool,
    /// How observations stand in the prompts of a training set.
    pub observations: Observations,
    /// What a model is told that it is asked, in the prompts of a training set.
    pub questions: Questions,
    /// Whose tokens, of [`Layout::Tokens`]: a model as `train --from` takes it; what another trainer is to
    /// train, of its layout.
    pub model: Option<String>,
}

/// What an export comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// Lines.
    pub lines: usize,
    /// Bytes, with the ends of the lines.
    pub bytes: u64,
    /// Trajectories that they are of.
    pub trajectories: usize,
    /// Trajectories that are left out because they are held out.
    pub held_out: usize,
}

/// A line of a training set: what is given, and the answer that the loss belongs on.
fn line(layout: Layout, given: Vec<Message>, answer: &str) -> Value {
    let answer = said(answer);
    if matches!(layout, Layout::PromptCompletion | Layout::VerlRl) {
        return json!({"prompt": given, "completion": [answer]});
    }
    let last = given.len();
    let messages: Vec<Message> = given.into_iter().chain([answer]).collect();
    if layout == Layout::Axolotl {
        // It would learn every answer of the conversation again.
        let told = |(i, message): (usize, &Message)| json!({"role": message.role, "content": message.content, "training": i == last});
        return json!({"messages": messages.iter().enumerate().map(told).collect::<Vec<_>>()});
    }
    json!({"messages": messages})
}

fn said(answer: &str) -> Message {
    Message { role: Role::Assistant, content: answer.into() }
}

/// A trajectory as a line.
fn whole(store: &Store, layout: Layout, id: i64) -> Result<String> {
    let record = store.record(id)?;
    let line = if layout == Layout::Atif {
        serde_json::to_string(&others::atif(&record))
    } else {
        serde_json::to_string(&record)
    };
    line.map_err(|e| Error::new(format!("trajectory {id}: {e}")))
}

/// Calls `each` with every line of an export, in the order of the store; `report` hears of every
/// trajectory.
pub fn export(
    store: &Store,
    order: &Order,
    control: &Control,
    report: &mut dyn FnMut(Progress),
    each: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Extent> {
    order.layout.of(order.set)?;
    let tokens = match (&order.model, order.layout) {
        (Some(model), Layout::Tokens) => Some(Tokens::of(store, model)?),
        (None, Layout::Tokens) => {
            return Err(Error::usage("tokens are those of a model").hint("--model embedded"));
        }
        (Some(_), layout) if Trainer::of(layout).is_none() => {
            return Err(Error::usage("--model is about tokens and settings")
                .hint("--format tokens, llamafactory or axolotl"));
        }
        _ => None,
    };
    let mut extent = Extent::default();
    let mut trajectories = 0;
    let mut emit = |line: String| {
        // The same text to whoever parses it, and nothing that drives a terminal it is shown on.
        let line = escaped(&line);
        extent.lines += 1;
        extent.bytes += line.len() as u64 + 1;
        each(&line)
    };
    let suite = order.criteria.suite.as_deref();
    let split = order.criteria.split.as_deref();
    if order.set == Set::Trajectories {
        let rows = store.experiences(suite, split)?;
        let meter = Meter::new("export", 0, rows.len() as u64);
        for (i, row) in rows.iter().enumerate() {
            control.checkpoint()?;
            emit(whole(store, order.layout, row.id)?)?;
            report(meter.at(i as u64 + 1));
        }
        extent.trajectories = rows.len();
        return Ok(extent);
    }
    let carry = Carry {
        branches: matches!(order.set, Set::WorldModel | Set::Preference),
        reflections: order.set == Set::Reflection,
    };
    let selection = Selection::choose(store, &order.criteria, carry)?;
    let meter = Meter::new("export", 0, selection.items.len() as u64);
    for (i, item) in selection.items.iter().enumerate() {
        control.checkpoint()?;
        if item.held_out == order.held_out {
            let (chosen, roles) = (item.read(store)?, Roles::of(item));
            let mut gives = false;
            let mut line = |line: Value| {
                gives = true;
                emit(line.to_string())
            };
            match &tokens {
                Some(tokens) => tokens.examples(&chosen, roles, order, &mut line)?,
                None => examples(&chosen, roles, order, &mut line)?,
            }
            trajectories += usize::from(gives);
        } else {
            extent.held_out += usize::from(item.held_out);
        }
        report(meter.at(i as u64 + 1));
    }
    extent.trajectories = trajectories;
    Ok(extent)
}

/// The examples of one trajectory.
fn examples(
    of: &Chosen,
    roles: Roles,
    order: &Order,
    emit: &mut dyn FnMut(Value) -> Result<()>,
) -> Result<()> {
    let Chosen { trajectory, branches, reflections, answers } = of;
    for (t, step) in trajectory.steps.iter().enumerate() {
        let how = order.observations;
        let state = trajectory.state(t);
        let asked = |question: Question<'_>| messages(&state, question, &order.questions, how);
        let to_act = || asked(Question::Act);
        let line = |given: Vec<Message>, answer: &str| line(order.layout, given, answer);
        let imitated = |action: &str| {
            let line = line(to_act(), &answer(None, action));
            match order.layout {
                Layout::VerlRl => columns::task(trajectory, t, (action, &line)),
                _ => line,
            }
        };
        match order.set {
            Set::Imitation if roles.actions => {
                if !trajectory.is_imitated(t) {
                    continue;
                }
                emit(imitated(&step.action))?;
            }
            Set::Imitation => {
                for own in answers.iter().filter(|own| own.t == t) {
                    emit(imitated(&own.action))?;
                }
            }
            Set::WorldModel if roles.next_states => {
                let own = Some((step.action.as_str(), step.observation.as_str()));
                let own = own.filter(|_| !order.alternatives_only).into_iter();
                let is_other =
                    |own: &&Branch| !order.alternatives_only && own.action != step.action;
                let asked_for = answers.iter().filter(is_other);
                let others = asked_for
                    .chain(branches)
                    .filter(|b| b.t == t)
                    .map(|b| (b.action.as_str(), b.observation.as_str()));
                for (action, observation) in own.chain(others) {
                    emit(line(asked(Question::Predict(action)), how.told(observation)))?;
                }
            }
            Set::Preference if roles.actions && trajectory.is_imitated(t) => {
                for worse in branches.iter().filter(|branch| branch.t == t && branch.is_below(step))
                {
                    let answered = |action: &str| [said(&answer(None, action))];
                    emit(json!({"prompt": to_act(), "chosen": answered(&step.action),
                        "rejected": answered(&worse.action)}))?;
                }
            }
            Set::Reflection => {
                for reflection in reflections.iter().filter(|reflection| reflection.t == t) {
                    emit(line(to_act(), &answer(Some(&reflection.text), &step.action)))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// [`export`] into a new file, which appears only when it is complete, with its manifest beside it
/// ([`manifest_of`]).
pub fn export_file(
    store: &Store,
    order: &Order,
    path: &Path,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Extent> {
    let beside = manifest_of(path);
    if beside.exists() {
        return Err(Error::new(format!("{}: already there", beside.display())).hint(
            "the manifest stands beside the file: name another file, or move it away first",
        ));
    }
    let recipe = Recipe::prepare(store, order, path)?;
    if order.layout.is_columns() {
        let extent = columns_file(store, order, path, control, report)?;
        manifest::write(store, order, path, (&extent, manifest::Sum::of(path)?.hex()))?;
        return Ok(extent);
    }
    let mut sum = manifest::Sum::default();
    let extent = write_whole(path, false, |file| {
        let failed = |e: &std::io::Error| Error::io("writing", path, e);
        export(store, order, control, report, &mut |line| {
            sum.line(line);
            writeln!(file, "{line}").map_err(|e| failed(&e))
        })
    })?;
    manifest::write(store, order, path, (&extent, sum.hex()))?;
    if let Some(recipe) = &recipe {
        recipe.write()?;
    }
    Ok(extent)
}

/// The same for a file of columns.
fn columns_file(
    store: &Store,
    order: &Order,
    path: &Path,
    control: &Control,
    report: &mut dyn FnMut(Progress),
) -> Result<Extent> {
    let mut extent = write_whole(path, false, |file| {
        let mut rows = Rows::new(file, order.layout == Layout::VerlRl)?;
        let extent = export(store, order, control, report, &mut |line| {
            let row = serde_json::from_str(line).map_err(|e| Error::new(format!("a row: {e}")))?;
            rows.row(row)
        })?;
        rows.close()?;
        Ok(extent)
    })?;
    extent.bytes = std::fs::metadata(path).map_err(|e| Error::io("reading", path, &e))?.len();
    Ok(extent)
}
