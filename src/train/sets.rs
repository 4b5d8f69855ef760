//! What each objective would train on now.

use super::data::{Data, DataSummary};
use super::missing::NOTHING;
use super::{Objective, Plan};
use crate::agent;
use crate::error::{Error, Result};
use crate::model::BuiltIn;
use crate::store::Store;

/// The model that a run on a suite starts from unless another is named: the embedded one that knows
/// it.
pub fn usual_start(suite: &str) -> &'static str {
    BuiltIn::of_suite(suite).name()
}

/// The models of the program that a run can start from, by name.
pub fn built_in() -> [&'static str; 3] {
    BuiltIn::ALL.map(BuiltIn::name)
}

/// What each objective would train on, or why it cannot yet; of a suite and split.
#[derive(Debug, Clone, PartialEq)]
pub struct Sets {
    /// The suite.
    pub suite: String,
    /// The split.
    pub split: String,
    /// All places with demonstrations, and how many each has.
    pub places: Vec<(String, String, u64)>,
    /// By objective.
    pub each: Vec<(Objective, std::result::Result<DataSummary, String>)>,
}

/// The split of a suite that is meant where none is chosen, of the places that have demonstrations:
/// the one for training, else the first.
pub fn usual_split(places: &[(String, String, u64)], suite: &str) -> String {
    let there: Vec<&str> =
        places.iter().filter(|(name, ..)| name == suite).map(|(_, split, _)| &**split).collect();
    let split = there.iter().find(|split| **split == "train").or(there.first());
    split.map_or("train", |split| split).to_string()
}

/// Alternatives or reflections, trees, tokens of each objective's training set, with the
/// tokenizer of the embedded model that knows the suite.
pub fn sets(store: &Store, suite: &str, split: Option<&str>) -> Result<Sets> {
    let model = agent::load(store, Some(usual_start(suite)), None)?;
    let places = store.demonstrated()?;
    let split = split.map_or_else(|| usual_split(&places, suite), str::to_string);
    let read = |objective: Objective| {
        let mut plan = Plan::new(objective, 1, 1);
        plan.data.suite = Some(suite.to_string());
        plan.data.split = Some(split.clone());
        let data = Data::choose(store, &plan, &model.tokenizer, model.decoder.config.context);
        let said = |error: Error| match error.message() {
            text if text.starts_with(NOTHING) => {
                format!("nothing yet. {}", error.next_step().unwrap_or(text))
            }
            text => text.to_string(),
        };
        (objective, data.map(|data| data.summary).map_err(said))
    };
    let each = [Objective::Imitation, Objective::WorldModel, Objective::Reflection];
    let each = each.into_iter().map(read).collect();
    Ok(Sets { suite: suite.to_string(), split, places, each })
}
