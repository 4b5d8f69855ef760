//! The jobs of a study, each before those that need it.

use serde::{Deserialize, Serialize};

use super::bridge::Bridge;
use super::design::{Arm, Design, Making, Shape, TestSet};
use crate::agent::Reflector;
use crate::agent::template::Rationale;
use crate::experience::ANSWERS;
use crate::model::step::Products;
use crate::selection::{Criteria, Share};
use crate::train::{Objective, Plan, Tuning};

/// Updates of reinforcement learning at most, which ends by its tokens.
const MOST: u64 = 1_000_000;

/// What is trained and tested on: the demonstrations of an expert on a share of the games.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// The suite.
    pub suite: String,
    /// The split.
    pub split: String,
    /// The expert.
    pub expert: String,
    /// The share, which the seed draws.
    pub share: Share,
    /// Alternatives a state that are executed: as many as any arm uses.
    pub k: usize,
    /// Those of them that reflections are written from.
    pub reflect_k: usize,
}

impl Data {
    /// What an arm trains on of it.
    pub fn criteria(&self) -> Criteria {
        Criteria {
            suite: Some(self.suite.clone()),
            split: Some(self.split.clone()),
            expert: Some(self.expert.clone()),
            share: Some(self.share),
            held_out: 0.0,
            ..Criteria::default()
        }
    }

    fn name(&self) -> String {
        format!("{} {}", self.expert, self.share)
    }
}

/// What is trained: an arm under one condition, with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The arm.
    pub arm: Arm,
    /// What it trains on.
    pub data: Data,
    /// Alternatives a state, where that makes a difference.
    pub k: Option<usize>,
    /// Updates of its last stage.
    pub updates: u64,
    /// The seed of weights and order.
    pub seed: u64,
    /// The model.
    pub model: Shape,
    /// How.
    pub training: Making,
    /// The reinforcement learning that goes on from what the arm came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rl: Option<Bridge>,
}

impl Cell {
    /// What it goes on from, where it does.
    pub fn base(&self) -> Option<Self> {
        self.rl.as_ref().map(|_| Self { rl: None, ..self.clone() })
    }

    /// How it goes on from there.
    fn bridged(&self, bridge: &Bridge) -> Plan {
        let Data { suite, split, share, .. } = &self.data;
        let usual = Plan::new(Objective::Rl, MOST, self.seed);
        Plan {
            batch: bridge.tasks,
            rate: bridge.rate,
            tuning: Tuning::steady(),
            rl: Some(bridge.settings()),
            data: Criteria {
                suite: Some(suite.clone()),
                split: Some(split.clone()),
                share: bridge.share(*share),
                ..Criteria::default()
            },
            ..usual
        }
    }

    /// What its run is given.
    pub fn plan(&self) -> Plan {
        if let Some(bridge) = &self.rl {
            return self.bridged(bridge);
        }
        let mut data = self.data.criteria();
        match self.arm {
            Arm::K0 => data.k = Some(0),
            Arm::RatTemplate => {
                data.rationales = true;
                data.writer = Some(Rationale.generator());
            }
            Arm::DAgger => {
                data.share = Some(self.first_half());
                data.visits = Some(self.answers());
            }
            Arm::IL | Arm::IWM | Arm::SHUF | Arm::SrTemplate | Arm::BOTH | Arm::LIST => {
                data.k = self.k;
            }
        }
        let making = &self.training;
        let foresees = self.arm.predicts();
        let usual = Plan::new(self.arm.objective(), self.updates, self.seed);
        Plan {
            batch: making.batch,
            rate: making.rate,
            world_epochs: if foresees { making.world_epochs } else { usual.world_epochs },
            matched: if foresees { making.matched } else { usual.matched },
            shuffled: self.arm == Arm::SHUF,
            products: if making.bf16 { Products::Bf16 } else { Products::F32 },
            data,
            ..usual
        }
    }

    /// The part of the games that DAgger's first policy is trained on.
    pub fn first_half(&self) -> Share {
        let share = self.data.share;
        Share { of: share.of / 2.0, ..share }
    }

    /// How DAgger's first policy is trained: imitation of the first half.
    pub fn first_plan(&self) -> Plan {
        let first = Self { arm: Arm::IL, ..self.clone() }.plan();
        let data = Criteria { share: Some(self.first_half()), ..first.data };
        Plan { data, ..first }
    }

    /// The pool of the expert's answers to that policy.
    pub fn answers(&self) -> String {
        format!("{ANSWERS}: {} {} seed {}", self.data.name(), self.updates, self.seed)
    }

    /// The condition without arm and seed, in words.
    pub fn condition(&self) -> String {
        format!("{}, {} of the data, {} updates", self.data.expert, self.share(), self.updates)
    }

    /// The share in words.
    pub fn share(&self) -> String {
        Share::name(self.data.share.of)
    }

    /// The arm, with its alternatives a state where that makes a difference.
    pub fn arm(&self) -> String {
        let k = self.k.map_or_else(String::new, |k| format!(" K={k}"));
        let rl = self.rl.as_ref().map_or_else(String::new, |of| format!(" + {}", of.told()));
        format!("{}{k}{rl}", self.arm)
    }

    fn name(&self) -> String {
        format!("{} {} {} seed {}", self.arm(), self.data.name(), self.updates, self.seed)
    }
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Task {
    /// Demonstrations, executed alternatives, and texts where an arm needs them.
    Collect {
        /// Of what.
        data: Data,
        /// Whether reflections and rationales are written too.
        texts: bool,
    },
    /// The fresh model of a seed.
    Model {
        /// The text that its vocabulary is trained on.
        data: Data,
        /// Its shape.
        shape: Shape,
        /// The seed of the weights.
        seed: u64,
    },
    /// DAgger's first policy, and what the expert answers in the states that it comes through.
    Visit {
        /// For the training of this.
        cell: Cell,
    },
    /// Training.
    Train {
        /// Of what.
        cell: Cell,
    },
    /// Playing a test set with what was trained.
    Test {
        /// What plays.
        cell: Cell,
        /// The games.
        test: TestSet,
    },
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What it is called; no two of a study are called the same.
    pub name: String,
    /// What it does.
    pub task: Task,
}

impl Job {
    /// A task under the name that follows from it.
    pub fn of(task: Task) -> Self {
        let name = match &task {
            Task::Collect { data, .. } => format!("collect {}", data.name()),
            Task::Model { data, seed, .. } => format!("model {} seed {seed}", data.name()),
            Task::Visit { cell } => format!("visit {}", cell.name()),
            Task::Train { cell } => format!("train {}", cell.name()),
            Task::Test { cell, test } => format!("test {} on {}", cell.name(), test.name),
        };
        Self { name, task }
    }

    /// Whether what was written down decides the same: what a newer program added stands as it was
    /// before.
    pub fn is_of(&self, spec: &str) -> bool {
        serde_json::from_str::<Task>(spec).is_ok_and(|task| task == self.task)
    }

    /// Everything that decides what comes of it, as JSON.
    pub fn spec(&self) -> String {
        serde_json::to_string(&self.task).unwrap_or_default()
    }
}

/// All jobs in the order in which they are done: arms within seed, so that every finished seed
/// counts.
pub fn jobs(design: &Design) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    let k = design.k.iter().copied().max().unwrap_or_default().max(design.reflect_k);
    let texts = design.arms.iter().any(|arm| arm.objective().reflects());
    for &seed in &design.seeds {
        for amount in &design.data {
            for expert in &design.experts {
                let data = Data {
                    suite: design.suite.clone(),
                    split: design.train.clone(),
                    expert: expert.clone(),
                    share: Share { of: amount.share, seed },
                    k,
                    reflect_k: design.reflect_k,
                };
                jobs.push(Job::of(Task::Collect { data: data.clone(), texts }));
                jobs.push(Job::of(Task::Model {
                    data: data.clone(),
                    shape: design.model.clone(),
                    seed,
                }));
                for &updates in &amount.updates {
                    cells(design, &data, updates, seed, &mut jobs);
                }
            }
        }
    }
    jobs
}

/// Training and tests of every arm under one condition.
fn cells(design: &Design, data: &Data, updates: u64, seed: u64, jobs: &mut Vec<Job>) {
    for &arm in &design.arms {
        let ks: Vec<Option<usize>> =
            if arm.uses_k() { design.k.iter().map(|k| Some(*k)).collect() } else { vec![None] };
        for k in ks {
            let cell = Cell {
                arm,
                data: data.clone(),
                k,
                updates,
                seed,
                model: design.model.clone(),
                training: design.training.clone(),
                rl: None,
            };
            if arm == Arm::DAgger {
                jobs.push(Job::of(Task::Visit { cell: cell.clone() }));
            }
            let bridges = design.rl.iter().map(|bridge| Some(bridge.clone()));
            let played = |test: &&TestSet| test.arms.is_empty() || test.arms.contains(&arm);
            for rl in std::iter::once(None).chain(bridges) {
                let cell = Cell { rl, ..cell.clone() };
                jobs.push(Job::of(Task::Train { cell: cell.clone() }));
                for test in design.test.iter().filter(played) {
                    jobs.push(Job::of(Task::Test { cell: cell.clone(), test: test.clone() }));
                }
            }
        }
    }
}
