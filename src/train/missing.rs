//! What an objective lacks to have a training set, and how to come by it.

use super::data::Data;
use super::{Objective, Plan};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::text::counted;

/// How the error begins that says that an objective has no training set yet.
pub(super) const NOTHING: &str = "there is nothing to train on";

impl Data {
    /// Refuses a training set in which the objective has nothing to do.
    pub(super) fn check(&self, store: &Store, plan: &Plan) -> Result<()> {
        let suite = plan.data.suite.as_deref().unwrap_or("household");
        let split = plan.data.split.as_deref();
        let missing =
            |what: String, next: String| Err(Error::new(format!("{NOTHING}: {what}")).hint(next));
        let collect = |what: &str| {
            format!(
                "run: foretaste collect {what} --suite {suite} --split {}",
                split.unwrap_or("train")
            )
        };
        if self.summary.demonstrations == 0 {
            let which = split.map_or(String::new(), |split| format!(" of {suite}, split {split}"));
            let there = store.demonstrated()?;
            if let Some((suite, split, count)) =
                there.iter().find(|(name, ..)| name == suite).or(there.first())
                && self.summary.held_out == 0
            {
                return missing(
                    format!(
                        "no demonstrations{which}; there are {count} of {suite}, split {split}"
                    ),
                    format!(
                        "--suite {suite} --split {split} (in the form: suite and split) trains on \
                         those; or collect others with: {} --games 50",
                        collect("demos")
                    ),
                );
            }
            let lost = store.demonstrations(plan.data.suite.as_deref(), split)?;
            let lost = lost.iter().filter(|demo| !demo.success).count();
            if lost > 0 && self.summary.held_out == 0 {
                return missing(
                    format!("no demonstrations{which} that came to their goal: {lost} did not"),
                    "only successes are imitated; of what was imported only what its file says was one"
                        .into(),
                );
            }
            let held = match self.summary.held_out {
                0 => String::new(),
                n => format!(", but for {n} held out (--held-out 0 trains on them too)"),
            };
            return missing(
                format!("no demonstrations{which}{held}"),
                format!("{} --games 50", collect("demos")),
            );
        }
        if plan.objective == Objective::List && !self.train.iter().any(|example| example.lists) {
            let what = "no state of these demonstrations lists what can be done".to_string();
            return missing(what, "another objective needs no list: --objective imitation".into());
        }
        let left = &self.summary.left_out;
        if plan.objective == Objective::Dpo && self.summary.branches == 0 && left.not_worse > 0 {
            let what = format!(
                "none of {} in the pool `{}` is worse than the expert's action",
                counted(left.not_worse as u64, "executed alternative"),
                plan.data.pool
            );
            return missing(what, format!("more of them: {} -k 8", collect("branches")));
        }
        let wants = plan.objective.carry();
        if let Some(pool) = &plan.data.visits
            && self.summary.answers == 0
        {
            let others = match self.summary.left_out.visits_of_others {
                0 => String::new(),
                n => format!("; in {n} visits another expert answered (--expert names one)"),
            };
            let what = format!("no answers of this expert in the pool `{pool}`{others}");
            return missing(what, format!("{} --mind M", collect("visits")));
        }
        if wants.branches && self.summary.branches == 0 && plan.data.k != Some(0) {
            let left = &self.summary.left_out;
            if left.effects + left.errors > 0 {
                let what = format!(
                    "all {} alternatives of the pool `{}` are left out by their effects",
                    left.effects + left.errors,
                    plan.data.pool
                );
                return missing(
                    what,
                    "name fewer effects with --without, or a larger --errors".into(),
                );
            }
            let proposer =
                if plan.data.pool == crate::experience::POLICY { " --proposer policy" } else { "" };
            let expert = plan.data.expert.as_deref();
            let pools = store.pools(plan.data.suite.as_deref(), split, expert, true)?;
            let others: Vec<String> =
                pools.iter().map(|of| format!("--branches {} ({})", of.pool, of.count)).collect();
            let what = format!("no executed alternatives in the pool `{}`", plan.data.pool);
            return missing(
                what,
                match &others[..] {
                    [] => format!("{}{proposer}", collect("branches")),
                    others => format!("there are others: {}", others.join(", ")),
                },
            );
        }
        if wants.reflections && self.summary.reflections == 0 {
            let rationales = match self.summary.left_out.rationales {
                0 => String::new(),
                n => format!(
                    "; {n} were written without sight of any outcome (--rationales takes them)"
                ),
            };
            let next = "collect reflections, then approve some in Curate".to_string();
            return missing(format!("no approved reflections{rationales}"), next);
        }
        Ok(())
    }
}
