//! A call from its request to its reply: who answers, what is written down, and then what is said.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{Semaphore, broadcast};
use tokio::time::timeout;

use super::admit::Who;
use super::dialect::BEFORE;
use super::mind::{Mind, Shared, read};
use super::serve::{Limits, Seen};
use super::writer::Writer;
use super::{Answered, Asked, Refused, said};
use crate::store::{NewAgent, NewCall, REWARD, now_ms};

/// What all calls share.
#[derive(Debug)]
pub(super) struct Desk {
    pub minds: Shared,
    pub writer: Writer,
    pub limits: Limits,
    /// Calls that are under way, and those that wait.
    pub under_way: Semaphore,
    pub waiting: Semaphore,
    /// KiB of requests that are being read.
    pub bodies: Semaphore,
    /// What was written down, for who looks on.
    pub told: broadcast::Sender<Seen>,
}

/// An answer that is written down.
#[derive(Debug)]
pub(super) struct Done {
    pub answered: Answered,
    pub call: i64,
}

impl Desk {
    /// Answers a call; when this returns it is written down, also where it failed at a mind.
    pub async fn answer(&self, who: &Who, asked: &Asked) -> Result<Done, Refused> {
        let full = || Refused::busy("more calls than this gateway takes at once");
        let waits = self.waiting.try_acquire().map_err(|_| full())?;
        let place = timeout(self.limits.wait, self.under_way.acquire()).await;
        let _place = place.map_err(|_| full())?.map_err(|_| full())?;
        drop(waits);
        let agent = said::agent(who.agent.as_deref(), asked.messages(), asked.tools());
        let (name, mind) = self.mind(who, &agent)?;
        let (began, clock) = (now_ms(), Instant::now());
        let answer = match timeout(self.limits.answer, mind.answer(asked)).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(Refused::with(504, format!("no answer in {} s", self.limits.answer.as_secs())))
            }
        };
        // What no mind was asked is no call.
        if let Err(refused) = &answer
            && refused.unasked
        {
            return Err(refused.clone());
        }
        let took = (began, clock.elapsed().as_millis() as i64);
        let new = written(who, asked, agent, (&name, &answer), took);
        let seen = Seen::of(&new, &answer);
        let call = self.writer.call(new).await?;
        self.rewarded(who, asked).await?;
        // Nobody may be looking.
        let _ = self.told.send(Seen { call, ..seen });
        Ok(Done { answered: answer?, call })
    }

    /// A request with what was said before the answer that it names (`previous_response_id`).
    pub fn with_before(&self, who: &Who, mut asked: Asked) -> Result<Asked, Refused> {
        let Some(before) = asked.body.remove(BEFORE) else { return Ok(asked) };
        let unknown = || Refused::bad(format!("{BEFORE}: no answer of this session is called so"));
        let number = before.as_str().and_then(|id| id.strip_prefix("resp_")?.parse().ok());
        let number = number.ok_or_else(unknown)?;
        let call = read(&self.minds, |minds| minds.store().call(number)).map_err(|_| unknown())?;
        if call.row.session != who.session {
            return Err(unknown());
        }
        // What the system says is said anew each time.
        let said = call.messages.into_iter().filter(|message| message["role"] != "system");
        let said = said.chain(call.answer);
        let (system, new): (Vec<_>, Vec<_>) =
            asked.messages().iter().cloned().partition(|message| message["role"] == "system");
        let all: Vec<Value> = system.into_iter().chain(said).chain(new).collect();
        asked.body.insert("messages".into(), Value::Array(all));
        Ok(asked)
    }

    /// What a rule says that a session is worth, by what the agent was told last.
    async fn rewarded(&self, who: &Who, asked: &Asked) -> Result<(), Refused> {
        let Some(last) = asked.messages().last() else { return Ok(()) };
        let text = said::text_of(&last["content"]);
        for (rule, value) in &self.limits.rules {
            if rule.is_match(&text) {
                let body = json!({"reward": value, "source": format!("rule {rule}")});
                self.writer.event(&who.session, (REWARD, Some(*value)), body).await?;
            }
        }
        Ok(())
    }

    /// Who answers an agent: by the name that a person gave it, also after its first calls.
    fn mind(&self, who: &Who, agent: &NewAgent) -> Result<(String, Arc<Mind>), Refused> {
        read(&self.minds, |minds| {
            let known = minds.store().agent_goes_by(agent).ok();
            let name = agent.name.clone().or(known).unwrap_or_default();
            minds.of(&name, &who.session)
        })
        .ok_or_else(|| Refused::with(503, "nobody answers this agent: name one with --mind"))
    }
}

/// A call as it is written down.
fn written(
    who: &Who,
    asked: &Asked,
    agent: NewAgent,
    (mind, answer): (&str, &Result<Answered, Refused>),
    took: (i64, i64),
) -> NewCall {
    let mut request = asked.body.clone();
    request.remove("messages");
    let (answered, reply, usage, tokens, cost) = match answer {
        Ok(answer) => (
            Some(said::written(&answer.message)),
            json!({"finish": answer.finish, "seed": answer.seed}),
            answer.usage,
            answer.tokens.as_ref().map(|tokens| json!(tokens)),
            answer.cost,
        ),
        Err(refused) => {
            (None, json!({"error": refused.message, "status": refused.status}), (0, 0), None, None)
        }
    };
    NewCall {
        session: who.session.clone(),
        agent,
        asked: asked.messages().iter().map(said::written).collect(),
        answered,
        dialect: asked.dialect.as_str(),
        model: asked.model.clone(),
        mind: mind.to_string(),
        request: Value::Object(request),
        reply,
        tokens,
        usage,
        cost,
        took,
    }
}

/// Keeps a stream awake: how long nothing may come over it.
pub(super) const AWAKE: Duration = Duration::from_secs(5);
