//! What else a mind would have said in place of a captured reply. Nothing of it is executed.

use serde_json::{Value, json};

use super::mind::{Minds, Route};
use super::{Asked, dialect::Dialect};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::store::{CallAlternative, Store, WholeCall};

/// How alternatives are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Again {
    /// How many.
    pub count: usize,
    /// At which temperature; that of the call where none is said.
    pub temperature: Option<f64>,
    /// From which their seeds follow.
    pub seed: u64,
}

/// Has a call answered again by a mind, or by the one that answered it, and keeps what it says beside the
/// call, unless it is what was said; one after the other, each by a seed of its own. Returns how many of
/// the answers were other ones.
///
/// # Errors
/// Where the mind cannot answer.
pub fn again(
    store: &mut Store,
    call: &WholeCall,
    mind: Option<&str>,
    how: Again,
    cancel: &Cancel,
) -> Result<usize> {
    let mut minds = Minds::new(Store::open(store.root())?, None);
    let mind = mind.unwrap_or(&call.row.mind).to_string();
    minds.route(Route { agent: None, minds: vec![mind] })?;
    let nobody = || Error::usage("nobody is named who could answer");
    let (name, mind) = minds.of(&call.row.agent, &call.row.session).ok_or_else(nobody)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::new(format!("asking again: {e}")))?;
    let said = call.answer.clone().map(without_names);
    let mut found = Vec::new();
    for seed in Rng::seeds(how.seed, &format!("call {}", call.row.id), how.count) {
        cancel.check()?;
        // As many servers count them.
        let seed = seed & 0x7fff_ffff;
        let mut body = call.request.as_object().cloned().unwrap_or_default();
        body.insert("messages".into(), json!(call.messages));
        body.insert("seed".into(), seed.into());
        if let Some(temperature) = how.temperature {
            body.insert("temperature".into(), temperature.into());
        }
        let refused = |refused: super::Refused| Error::new(refused.message);
        let asked = Asked::of(Dialect::Chat, body, false).map_err(refused)?;
        let answered = runtime.block_on(mind.answer(&asked)).map_err(refused)?;
        let message = without_names(answered.message);
        if said.as_ref() == Some(&message) {
            continue;
        }
        found.push(CallAlternative { mind: name.clone(), seed, message });
    }
    store.add_call_alternatives(call.row.id, &found)?;
    Ok(found.len())
}

/// The names of calls are new each time: the same words are the same answer.
fn without_names(mut message: Value) -> Value {
    for (place, call) in message["tool_calls"].as_array_mut().into_iter().flatten().enumerate() {
        call["id"] = format!("call_{place}").into();
    }
    message
}
