//! What an objective lacks to have a training set, and how to come by it.

use super::data::Data;
use super::{Objective, Plan};
use crate::error::{Error, Result};
use crate::experience::POLICY;
use crate::store::Store;
use crate::text::counted;

/// How the error begins that says that an objective has no training set yet.
pub(super) const NOTHING: &str = "there is nothing to train on";

/// What is missing, and what comes next.
type Missing = (String, String);

/// The command that collects what a plan wants.
fn collect(plan: &Plan, what: &str) -> String {
    let suite = plan.data.suite.as_deref().unwrap_or("household");
    let split = plan.data.split.as_deref().unwrap_or("train");
    format!("run: foretaste collect {what} --suite {suite} --split {split}")
}

impl Data {
    /// Refuses a training set in which the objective has nothing to do.
    pub(super) fn check(&self, store: &Store, plan: &Plan) -> Result<()> {
        let missing = if self.summary.demonstrations == 0 {
            Some(self.without_demonstrations(store, plan)?)
        } else if let Some(missing) =
            self.without_pairs(plan).or_else(|| self.without_answers(plan))
        {
            Some(missing)
        } else if let Some(missing) = self.without_branches(store, plan)? {
            Some(missing)
        } else {
            self.without_reflections(plan)
        };
        match missing {
            None => Ok(()),
            Some((what, next)) => Err(Error::new(format!("{NOTHING}: {what}")).hint(next)),
        }
    }

    fn without_demonstrations(&self, store: &Store, plan: &Plan) -> Result<Missing> {
        let suite = plan.data.suite.as_deref().unwrap_or("household");
        let split = plan.data.split.as_deref();
        let which = split.map_or(String::new(), |split| format!(" of {suite}, split {split}"));
        let held = self.summary.held_out;
        let lost = store.demonstrations(plan.data.suite.as_deref(), split)?;
        let lost = lost.iter().filter(|demo| !demo.success).count();
        if lost > 0 && held == 0 {
            return Ok((
                format!("no demonstrations{which} that came to their goal: {lost} did not"),
                "only successes are imitated; of what was imported only what its file says was one"
                    .into(),
            ));
        }
        let there = store.demonstrated()?;
        let other = there.iter().find(|(name, ..)| name == suite).or(there.first());
        if let Some((suite, split, count)) = other.filter(|_| held == 0) {
            return Ok((
                format!("no demonstrations{which}; there are {count} of {suite}, split {split}"),
                format!(
                    "--suite {suite} --split {split} (in the form: suite and split) trains on \
                     those; or collect others with: {} --games 50",
                    collect(plan, "demos")
                ),
            ));
        }
        let held = match held {
            0 => String::new(),
            n => format!(", but for {n} held out (--held-out 0 trains on them too)"),
        };
        let next = format!("{} --games 50", collect(plan, "demos"));
        Ok((format!("no demonstrations{which}{held}"), next))
    }

    /// Nothing that the expert's action could be held against.
    fn without_pairs(&self, plan: &Plan) -> Option<Missing> {
        if plan.objective == Objective::List && !self.train.iter().any(|example| example.lists) {
            let what = "no state of these demonstrations lists what can be done".to_string();
            return Some((what, "another objective needs no list: --objective imitation".into()));
        }
        let worse = self.summary.left_out.not_worse;
        if plan.objective != Objective::Dpo || self.summary.branches > 0 || worse == 0 {
            return None;
        }
        let what = format!(
            "none of {} in the pool `{}` is worse than the expert's action",
            counted(worse as u64, "executed alternative"),
            plan.data.pool
        );
        Some((what, format!("more of them: {} -k 8", collect(plan, "branches"))))
    }

    fn without_answers(&self, plan: &Plan) -> Option<Missing> {
        let pool = plan.data.visits.as_ref().filter(|_| self.summary.answers == 0)?;
        let others = match self.summary.left_out.visits_of_others {
            0 => String::new(),
            n => format!("; in {n} visits another expert answered (--expert names one)"),
        };
        let what = format!("no answers of this expert in the pool `{pool}`{others}");
        Some((what, format!("{} --mind M", collect(plan, "visits"))))
    }

    fn without_branches(&self, store: &Store, plan: &Plan) -> Result<Option<Missing>> {
        let wanted = plan.objective.carry().branches && plan.data.k != Some(0);
        if !wanted || self.summary.branches > 0 {
            return Ok(None);
        }
        let (left, pool) = (&self.summary.left_out, &plan.data.pool);
        if left.effects + left.errors > 0 {
            let count = left.effects + left.errors;
            return Ok(Some((
                format!(
                    "all {count} alternatives of the pool `{pool}` are left out by their effects"
                ),
                "name fewer effects with --without, or a larger --errors".into(),
            )));
        }
        let proposer = if pool == POLICY { " --proposer policy" } else { "" };
        let mut next = format!("{}{proposer}", collect(plan, "branches"));
        let [suite, split, expert] =
            [&plan.data.suite, &plan.data.split, &plan.data.expert].map(|name| name.as_deref());
        let others: Vec<String> = store
            .pools(suite, split, expert, true)?
            .iter()
            .map(|of| format!("--branches {} ({})", of.pool, of.count))
            .collect();
        if !others.is_empty() {
            next += &format!("; there are others: {}", others.join(", "));
        }
        Ok(Some((format!("no executed alternatives in the pool `{pool}`"), next)))
    }

    fn without_reflections(&self, plan: &Plan) -> Option<Missing> {
        if !plan.objective.carry().reflections || self.summary.reflections > 0 {
            return None;
        }
        let rationales = match self.summary.left_out.rationales {
            0 => String::new(),
            n => {
                format!("; {n} were written without sight of any outcome (--rationales takes them)")
            }
        };
        let next = "collect reflections, then approve some in Curate".to_string();
        Some((format!("no approved reflections{rationales}"), next))
    }
}
