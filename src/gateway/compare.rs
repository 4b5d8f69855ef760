//! Old and new beside each other: what sessions were worth by who answered an agent in them.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::experience::wilson;
use crate::store::{AgentRow, Called, Store};
use crate::text::{counted, percent};

/// How sessions went in which one mind answered an agent.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Side {
    /// The mind.
    pub mind: String,
    /// Sessions with a reward.
    pub sessions: u64,
    /// How many were worth at least what counts as a success.
    pub won: u64,
    /// Their share, and its interval (Wilson, 95 %).
    pub interval: (f64, f64),
    /// What they were worth on average.
    pub mean: f64,
    /// Sessions that nobody said the worth of, or in which several minds answered: in no figure.
    pub left_out: u64,
}

impl Side {
    /// In words.
    pub fn told(&self) -> String {
        let (low, high) = self.interval;
        let left = if self.left_out > 0 {
            let sessions = counted(self.left_out, "session");
            format!("; {sessions} left out (no reward, or several minds in one)")
        } else {
            String::new()
        };
        format!(
            "{}  {} of {} sessions = {} [{}, {}], mean reward {:.3}{left}",
            self.mind,
            self.won,
            self.sessions,
            percent(self.won as f64 / self.sessions.max(1) as f64),
            percent(low),
            percent(high),
            self.mean
        )
    }
}

/// What counts as a success.
const SUCCESS: f64 = 1.0;

/// The minds that answered an agent, in the order of their names.
pub fn sides(store: &Store, agent: &AgentRow) -> Result<Vec<Side>> {
    let which = Called { agent: Some(agent.id.to_string()), ..Called::default() };
    let mut by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for call in store.calls(&which)?.into_iter().filter(|call| call.answered.is_some()) {
        let minds = by.entry(call.session).or_default();
        if !minds.contains(&call.mind) {
            minds.push(call.mind);
        }
    }
    let rewards: BTreeMap<String, Option<f64>> =
        store.sessions()?.into_iter().map(|row| (row.name, row.reward)).collect();
    let mut sides: BTreeMap<String, (Vec<f64>, u64)> = BTreeMap::new();
    for (session, minds) in by {
        let alone = minds.len() == 1;
        let reward = rewards.get(&session).copied().flatten().filter(|_| alone);
        for mind in minds {
            let side = sides.entry(mind).or_default();
            match reward {
                Some(reward) => side.0.push(reward),
                None => side.1 += 1,
            }
        }
    }
    let side = |(mind, (rewards, left_out)): (String, (Vec<f64>, u64))| {
        let sessions = rewards.len() as u64;
        let won = rewards.iter().filter(|reward| **reward >= SUCCESS).count() as u64;
        let mean = rewards.iter().sum::<f64>() / (sessions.max(1) as f64);
        Side { mind, sessions, won, interval: wilson(won, sessions), mean, left_out }
    };
    Ok(sides.into_iter().map(side).collect())
}
