//! Examples as the tokens of a model: what a run here would compute, token by token, for a trainer that
//! takes tokens.

use serde_json::{Value, json};

use super::{Order, Set};
use crate::agent;
use crate::agent::prompt::Framing;
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::tokenizer::Tokenizer;
use crate::selection::Chosen;
use crate::store::Store;
use crate::train::examples::{Roles, example};

/// A model's tokens, and how many it reads.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    context: usize,
}

impl Tokens {
    /// Those of a model by its name, as `--from` of a run takes it.
    pub fn of(store: &Store, name: &str) -> Result<Self> {
        let (parts, source) = agent::find(store, Some(name), None)?;
        if parts.config.is_empty() {
            return Err(Error::usage(format!("{source} is for inference: nothing trains on it"))
                .hint("name the model folder that it was made from"));
        }
        let config = Config::parse(&parts.config).map_err(|error| error.at(&source))?;
        let tokenizer = parts.tokenizer(&source, &config)?;
        Ok(Self { tokenizer, context: config.context })
    }

    /// The examples of a trajectory: `input_ids`, and in `completion_mask` 1 for what is learnt.
    pub fn examples(
        &self,
        of: &Chosen,
        roles: Roles,
        order: &Order,
        emit: &mut dyn FnMut(Value) -> Result<()>,
    ) -> Result<()> {
        let framing = Framing::new(&self.tokenizer)?;
        let next_states = roles.next_states && !order.alternatives_only;
        let Some(tree) = example(&framing, of, Roles { next_states, ..roles }, self.context)?
        else {
            return Ok(()); // longer than the model reads
        };
        let wanted = match order.set {
            Set::WorldModel => "observation",
            Set::Reflection => "reflection",
            _ => "action",
        };
        for (_, before, said) in tree.pairs().into_iter().filter(|(kind, ..)| *kind == wanted) {
            let mask: Vec<u8> = before.iter().map(|_| 0).chain(said.iter().map(|_| 1)).collect();
            let ids = [before, said].concat();
            emit(json!({"input_ids": ids, "completion_mask": mask}))?;
        }
        Ok(())
    }
}
