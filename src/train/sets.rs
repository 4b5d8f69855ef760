//! What each objective would train on now.

use super::data::{Data, DataSummary, NOTHING};
use super::{Objective, Plan};
use crate::agent;
use crate::error::{Error, Result};
use crate::store::Store;

/// What each objective would train on, or why it cannot yet.
pub type Sets = Vec<(Objective, std::result::Result<DataSummary, String>)>;

/// Alternatives or reflections, trees, tokens of each objective's training set, with the embedded
/// model's tokenizer.
pub fn sets(store: &Store, suite: &str) -> Result<Sets> {
    let model = agent::load(store, Some("embedded"))?;
    let read = |objective: Objective| {
        let mut plan = Plan::new(objective, 1, 1);
        plan.data.suite = Some(suite.to_string());
        let data = Data::choose(store, &plan, &model.tokenizer, model.decoder.config.context);
        let said = |error: Error| match error.message() {
            text if text.starts_with(NOTHING) => {
                format!("nothing yet. {}", error.next_step().unwrap_or(text))
            }
            text => text.to_string(),
        };
        (objective, data.map(|data| data.summary).map_err(said))
    };
    Ok([Objective::Imitation, Objective::WorldModel, Objective::Reflection]
        .into_iter()
        .map(read)
        .collect())
}
