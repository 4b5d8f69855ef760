//! What a run trains on: trees read from the store, and the batch of every update.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::examples::{Example, Roles, TARGETS, TokenRole, example};
use super::plan::{Found, Stage};
use super::{Mixture, Objective, Plan, preferred};
use crate::agent::prompt::Framing;
use crate::budget::work;
use crate::digest::{Digest, hex};
use crate::error::Result;
use crate::experience::Purpose;
use crate::gateway::Left;
use crate::model::tokenizer::Tokenizer;
use crate::rng::Rng;
use crate::selection::{Chosen, Item, LEAST_HELD_OUT, LeftOut, Selection};
use crate::store::Store;
use crate::text::counted;

/// What a training set consists of. All of it is trained on, but for what is said to be held out or
/// left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Demonstrations.
    pub demonstrations: usize,
    /// Explorations with approved reflections.
    pub explorations: usize,
    /// Visits, in whose states an expert answered.
    #[serde(default)]
    pub visits: usize,
    /// Those answers.
    #[serde(default)]
    pub answers: usize,
    /// Whether the next states of the expert's own steps are no targets.
    #[serde(default)]
    pub alternatives_only: bool,
    /// Executed alternatives.
    pub branches: usize,
    /// Answers to captured calls that a person thinks worse than another one.
    #[serde(default)]
    pub preferences: usize,
    /// The calls that they are of.
    #[serde(default)]
    pub preferred_states: usize,
    /// Preferences that are not learnt from.
    #[serde(default)]
    pub preferences_left: Left,
    /// Approved reflections.
    pub reflections: usize,
    /// Trees: one a trajectory.
    pub trees: usize,
    /// Unique tokens: shared prefixes counted once.
    pub tokens: usize,
    /// Targets by kind: actions, next states, reflections, actions after them.
    pub targets: [u64; 4],
    /// Trajectories kept out of training, for validation.
    pub held_out: usize,
    /// The games (tasks in a room) that they are of; older runs did not count them.
    #[serde(default)]
    pub held_out_games: usize,
    /// Target tokens that no path within the model's context reaches.
    pub too_long: usize,
    /// Trajectories whose first observation alone is more than the model reads.
    pub unreadable: usize,
    /// What is in the store and not used.
    pub left_out: LeftOut,
}

/// The trees a plan trains on, and those held out.
pub struct Data {
    pub(super) train: Vec<Example>,
    pub(super) held_out: Vec<Example>,
    /// The same with what else could be done, where that is what is optimised.
    pub(super) held_lists: Vec<Example>,
    /// What sorts the trees of an epoch, beside the seed: the same for a trajectory whatever else
    /// is there.
    pub(super) keys: Vec<u64>,
    /// What they were read from.
    pub selection: Selection,
    /// What they consist of.
    pub summary: DataSummary,
    /// Hash of every token and target: the same where the same is trained on.
    pub digest: u64,
}

impl Data {
    /// Chooses from the store what the plan asks for, and reads it: nothing of one that plays.
    pub fn choose(
        store: &Store,
        plan: &Plan,
        tokenizer: &Tokenizer,
        context: usize,
    ) -> Result<Self> {
        if plan.rl.is_some() || plan.preferences.is_some() {
            return Self::read(store, plan, Selection::default(), tokenizer, context);
        }
        let selection = Selection::choose(store, &plan.data, plan.objective.carry())?;
        let data = Self::read(store, plan, selection, tokenizer, context)?;
        data.check(store, plan)?;
        Ok(data)
    }

    /// Reads what was chosen.
    pub fn read(
        store: &Store,
        plan: &Plan,
        selection: Selection,
        tokenizer: &Tokenizer,
        context: usize,
    ) -> Result<Self> {
        let framing = Framing::new(tokenizer)?;
        let summary = DataSummary {
            left_out: selection.left_out,
            alternatives_only: plan.alternatives_only,
            ..DataSummary::default()
        };
        let train = Vec::new();
        let held_out = Vec::new();
        let keys = Vec::new();
        let held_lists = Vec::new();
        let mut data = Self {
            train,
            held_out,
            held_lists,
            keys,
            selection: Selection::default(),
            summary,
            digest: 0,
        };
        if let Some(of) = &plan.preferences {
            preferred::read(store, of, (tokenizer, context), &mut data)?;
            return Ok(data);
        }
        let mut digest = Digest::default();
        for item in &selection.items {
            work(1)?; // a place to be cancelled at
            let mut chosen = item.read(store)?;
            if plan.shuffled && !item.held_out {
                shuffle_outcomes(&mut chosen, plan.seed);
            }
            // What is held out costs what it costs without the list.
            let usual = Roles::of(item);
            let roles = if item.held_out { usual } else { plan.roles(usual) };
            let before = chosen.branches.len();
            let against = (plan.objective == Objective::Dpo).then(|| against_worse(&mut chosen));
            data.summary.left_out.not_worse += before - chosen.branches.len();
            let read = against.as_ref().unwrap_or(&chosen);
            let Some(tree) = example(&framing, read, roles, context)? else {
                data.summary.unreadable += 1;
                continue;
            };
            tree.digested(&mut digest);
            if item.held_out {
                data.summary.held_out += 1;
                data.held_out.push(tree);
                let listed = Roles { listed: true, ..usual };
                if plan.objective.compares() {
                    data.held_lists.extend(example(&framing, read, listed, context)?);
                }
                continue;
            }
            let tr = &chosen.trajectory;
            let steps = tr.steps.iter().map(|step| step.action.as_str());
            // Of a visit its seed: what a policy is called depends on how many runs there were.
            let seed = tr.seed.to_string();
            let who = if tr.purpose == Purpose::Visit { &seed } else { &tr.actor };
            let own = [tr.suite.as_str(), &tr.task_id, who, tr.purpose.as_str()];
            data.keys.push(crate::digest::of(own.into_iter().chain(steps)));
            data.summary.count(&chosen, item, &tree);
            data.train.push(tree);
        }
        let held = selection.items.iter().filter(|item| item.held_out);
        data.summary.held_out_games = held.map(|item| item.instance).collect::<HashSet<_>>().len();
        data.selection = selection;
        data.digest = digest.finish();
        Ok(data)
    }

    /// What a mixture finds among the trees that are trained on.
    pub fn found(&self, mixture: &Mixture) -> Found {
        let sizes: Vec<usize> =
            self.train.iter().filter_map(|tree| Some(tree.weighed(mixture)?.tree.len())).collect();
        Found {
            trees: sizes.len(),
            tokens: sizes.iter().sum::<usize>() as f64 / sizes.len().max(1) as f64,
        }
    }

    /// Every text that is a target, by what it is ("action", "observation", "reflection" with the
    /// action after it), with the tokens before it: what an export of the same data has as lines.
    pub fn pairs(&self) -> Vec<(&'static str, Vec<u32>, Vec<u32>)> {
        self.train.iter().flat_map(Example::pairs).collect()
    }

    /// How it is told apart in records.
    pub fn name(&self) -> String {
        hex(self.digest)
    }

    /// The trees of a stage, in an order of their own for every epoch.
    pub(super) fn epochs(&self, seed: u64, stage: &Stage) -> Epochs<'_> {
        let trees = (0..self.train.len())
            .filter(|i| self.train[*i].weighed(&stage.mixture).is_some())
            .collect();
        Epochs { data: self, seed, mixture: stage.mixture, trees, order: (u64::MAX, Vec::new()) }
    }
}

impl DataSummary {
    /// The targets of an epoch by kind, as far as a stage trains them, in words.
    pub fn targets_in_words(&self, stages: &[Stage]) -> String {
        let trained = |kind: TokenRole| stages.iter().any(|stage| stage.mixture.of(kind) > 0.0);
        let there = TARGETS
            .iter()
            .zip(self.targets)
            .filter(|((kind, _), count)| *count > 0 && trained(*kind));
        let each: Vec<String> = there.map(|((_, name), count)| format!("{name} {count}")).collect();
        format!("target tokens: {}", each.join(", "))
    }

    /// What a person prefers, in words; none where that is not what is learnt from.
    pub fn preferred(&self) -> Option<String> {
        let Self { preferences, preferred_states, tokens, .. } = *self;
        let words = || {
            let (of, states) = (
                counted(preferences as u64, "preference"),
                counted(preferred_states as u64, "state"),
            );
            format!("{of} between answers to captured calls, in {states}; {tokens} unique tokens")
        };
        (preferences > 0).then(words)
    }

    /// What validation is on, in words.
    pub fn validation(&self) -> String {
        match (self.held_out_games, self.left_out.too_few) {
            (0, 0) => "validation: none, nothing is held out".into(),
            (0, few) => format!(
                "validation: none, for the share would hold out {}, and fewer than \
                 {LEAST_HELD_OUT} say nothing; about {} games would do",
                counted(few as u64, "game"),
                (self.demonstrations * LEAST_HELD_OUT).div_ceil(few)
            ),
            (games, _) => {
                format!("validation: {games} games held out ({} demonstrations)", self.held_out)
            }
        }
    }

    /// What a person should know beside the counts: what is there and not trained on, a line each.
    pub fn notes(&self) -> Vec<String> {
        let left = &self.left_out;
        let said = [
            (self.explorations, "explorations with reflections are trained on too"),
            (self.answers, "answers of the expert in the states of visits are imitated too"),
            (left.visits, "visits left out: their games are held out"),
            (left.visits_of_others, "visits left out: only another expert answered there"),
            (left.visits_again, "visits left out: the same as another"),
            (left.effects, "alternatives left out: their effect is not wanted (--without)"),
            (left.not_worse, "alternatives left out: not worse than the expert's action"),
            (left.errors, "refused alternatives left out: more than the share (--errors)"),
            (left.duplicates, "demonstrations left out: the same actions as another"),
            (left.by_hand, "demonstrations left out: played by hand (--expert human, or all)"),
            (left.constant, "alternatives left out: their answer is the same everywhere"),
            (left.rationales, "approved rationales left out: written without sight of any outcome"),
            (left.superseded, "approved reflections left out: their state has a newer one"),
            (
                left.others,
                "explorations left out: their reflections conclude on another expert's actions",
            ),
            (self.too_long, "target tokens left out: longer than the model's context"),
            (
                self.unreadable,
                "trajectories left out: what they are about is longer than the model reads, or \
                 all of them a million tokens",
            ),
        ];
        let counted = said.iter().filter(|(count, _)| *count > 0);
        let mut notes: Vec<String> =
            counted.map(|(count, what)| format!("{count} {what}")).collect();
        notes.extend(self.preferences_left.told());
        if self.alternatives_only {
            notes.push(
                "next states of the expert's own steps are left out (--alternatives-only)".into(),
            );
        }
        notes
    }

    /// A state of a captured call in which a person thinks so many answers worse than another one.
    pub(super) fn add_preferred(&mut self, worse: usize, tree: &Example) {
        self.preferences += worse;
        self.add(tree);
    }

    fn count(&mut self, chosen: &Chosen, item: &Item, tree: &Example) {
        let visit = !chosen.answers.is_empty();
        self.demonstrations += usize::from(item.demonstration);
        self.visits += usize::from(visit);
        self.explorations += usize::from(!item.demonstration && !visit);
        self.answers += chosen.answers.len();
        self.branches += chosen.branches.len();
        self.reflections += chosen.reflections.len();
        self.add(tree);
    }

    fn add(&mut self, tree: &Example) {
        self.trees += 1;
        self.tokens += tree.tree.len();
        self.too_long += tree.too_long;
        self.targets.iter_mut().zip(tree.targets()).for_each(|(sum, count)| *sum += count);
    }
}

/// What was executed in a state and led nowhere better in place of what could be done there: what the
/// expert's action is preferred to. The others are no longer among the alternatives.
fn against_worse(chosen: &mut Chosen) -> Chosen {
    let steps = &chosen.trajectory.steps;
    chosen.branches.retain(|branch| steps.get(branch.t).is_some_and(|own| branch.is_below(own)));
    let mut against = Chosen { branches: Vec::new(), ..chosen.clone() };
    let tr = &mut against.trajectory;
    let worse = |t: usize| {
        let of = chosen.branches.iter().filter(|branch| branch.t == t);
        Some(of.map(|branch| branch.action.clone()).collect())
    };
    tr.admissible = worse(0);
    for (t, step) in tr.steps.iter_mut().enumerate() {
        step.admissible = worse(t + 1);
    }
    against
}

/// Deals the next states of a trajectory's alternatives out among them.
fn shuffle_outcomes(chosen: &mut Chosen, seed: u64) {
    let tr = &chosen.trajectory;
    let mut outcomes: Vec<String> =
        chosen.branches.iter().map(|branch| branch.observation.clone()).collect();
    Rng::stream(seed, &format!("outcomes {} {}", tr.task_id, tr.actor)).shuffle(&mut outcomes);
    chosen
        .branches
        .iter_mut()
        .zip(outcomes)
        .for_each(|(branch, outcome)| branch.observation = outcome);
}

/// The trees that have a target in a stage, visited in epochs.
pub(super) struct Epochs<'a> {
    data: &'a Data,
    seed: u64,
    mixture: Mixture,
    /// Indices among the trees that are trained on.
    trees: Vec<usize>,
    /// The order of the present epoch.
    order: (u64, Vec<usize>),
}

impl Epochs<'_> {
    /// The trees of an update of the stage: the next `batch` of the epochs' orders put one after
    /// the other. An order follows from the seed and the epoch, and places a trajectory whatever
    /// else there is: so it depends on nothing that a resumed run would not know, and the same
    /// games come in the same order under every objective.
    pub fn batch(&mut self, step: u64, batch: usize) -> Vec<Example> {
        let count = self.trees.len() as u64;
        let places = (0..batch as u64).map(|i| step * batch as u64 + i).filter(|_| count > 0);
        places.filter_map(|place| self.at(place / count, (place % count) as usize)).collect()
    }

    fn at(&mut self, epoch: u64, place: usize) -> Option<Example> {
        if self.order.0 != epoch {
            let keyed = |i: &usize| {
                let key = self.data.keys[*i];
                (Rng::stream(self.seed, &format!("order {epoch} {key}")).next_u64(), *i)
            };
            let mut order: Vec<(u64, usize)> = self.trees.iter().map(keyed).collect();
            order.sort_unstable();
            self.order = (epoch, order.into_iter().map(|(_, i)| i).collect());
        }
        self.data.train[*self.order.1.get(place)?].weighed(&self.mixture)
    }
}

#[cfg(test)]
#[path = "data_tests.rs"]
pub(super) mod tests;
