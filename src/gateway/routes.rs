//! Routes as a store keeps them: added one after the other, so that one can be taken back. A gateway that
//! runs looks at them, whoever adds one.

use std::path::Path;

use super::admit::is_name;
use super::{Gateway, Minds, Named, Route, system};
use crate::agent;
use crate::error::{Error, Result};
use crate::store::{AgentRow, Store};

/// The port that is listened at unless another is named.
pub const PORT: u16 = 8712;

/// The session whose key opens the gateway, the first of several; made where there is none, under a
/// name that nobody guesses.
pub fn first_key(store: &mut Store) -> Result<String> {
    if let Some(key) = store.keys()?.into_iter().next() {
        return Ok(key);
    }
    let own: String =
        store.identity()?.chars().filter(char::is_ascii_alphanumeric).take(10).collect();
    let key = format!("s-{own}");
    store.open_session(&key)?;
    Ok(key)
}

/// Routes with others laid over them.
fn over(below: &[Route], above: &[Route]) -> Vec<Route> {
    let covered = |route: &&Route| !above.iter().any(|other| other.agent == route.agent);
    below.iter().filter(covered).chain(above).cloned().collect()
}

/// The routes of a store as a gateway that runs follows them: the usual one, those of its command line over
/// it, and what the store says since it began.
#[derive(Debug)]
pub struct Routed {
    store: Store,
    /// As the store said them last.
    since: Vec<String>,
    /// What holds where the store says nothing.
    base: Vec<Route>,
    /// What holds now.
    now: Vec<Route>,
}

impl Routed {
    /// As they stand now: those of the command line go before what the store said until then.
    pub fn open(root: &Path, more: &[Route]) -> Result<Self> {
        let store = Store::open(root)?;
        let since = routes(&store)?;
        let base = over(&[Route { agent: None, minds: vec![USUAL.into()] }], more);
        let now = over(&over(&base, &current(&since)), more);
        Ok(Self { store, since, base, now })
    }

    /// The minds that answer.
    pub fn minds(&self) -> Result<Minds> {
        let mut minds = Minds::new(Store::open(self.store.root())?, None);
        for route in &self.now {
            minds.route(route.clone())?;
        }
        Ok(minds)
    }

    /// Has a gateway follow what changed since, and says what: each route in words, and why it could not
    /// be taken, in which case whoever answered goes on.
    pub fn renew(&mut self, served: &Gateway) -> Result<Vec<(String, Option<Error>)>> {
        let all = routes(&self.store)?;
        if all == self.since {
            return Ok(Vec::new());
        }
        let (before, after) = (current(&self.since), current(&all));
        // One that was said again is taken again: the text that a mind is told may be another one.
        let again: Vec<Option<String>> = all
            .get(self.since.len()..)
            .unwrap_or_default()
            .iter()
            .filter_map(|text| Route::parse(text).ok())
            .map(|route| route.agent)
            .collect();
        // Only what changed: of all else the command line goes before the store.
        let touched = |route: &&Route| {
            let of = |all: &[Route]| all.iter().find(|one| one.agent == route.agent).cloned();
            of(&before) != of(&after) || again.contains(&route.agent)
        };
        let changed: Vec<Route> = after.iter().filter(touched).cloned().collect();
        let gone: Vec<Route> = before
            .iter()
            .filter(|old| !after.iter().any(|new| new.agent == old.agent))
            .cloned()
            .collect();
        let kept: Vec<Route> = self
            .now
            .iter()
            .filter(|route| !gone.iter().any(|old| old.agent == route.agent))
            .cloned()
            .collect();
        let next = over(&over(&self.base, &kept), &changed);
        let mut told = Vec::new();
        for old in gone.iter().filter(|old| !next.iter().any(|new| new.agent == old.agent)) {
            if let Some(agent) = &old.agent {
                served.forget(agent);
                told.push((format!("{agent}: as every agent"), None));
            }
        }
        let anew = |route: &&Route| {
            let told = route.minds.iter().any(|mind| Named::parse(mind).text.is_some());
            !self.now.contains(route) || told && again.contains(&route.agent)
        };
        for route in next.iter().filter(anew) {
            let failed = served.route(route.clone()).err();
            told.push((route.told(), failed));
        }
        (self.since, self.now) = (all, next);
        Ok(told)
    }
}

/// Who answers where nobody is named.
pub const USUAL: &str = "embedded";

/// Where they stand.
const KEY: &str = "gateway routes";

/// All that were added and not taken back, oldest first.
pub fn routes(store: &Store) -> Result<Vec<String>> {
    let text = store.setting(KEY)?.unwrap_or_else(|| "[]".into());
    serde_json::from_str(&text).map_err(|e| Error::new(format!("the store's {KEY}: {e}")))
}

fn keep(store: &mut Store, all: &[String]) -> Result<()> {
    store.set_setting(KEY, &serde_json::json!(all).to_string())
}

/// Of each agent the last one.
pub fn current(all: &[String]) -> Vec<Route> {
    let mut current: Vec<Route> = Vec::new();
    for route in all.iter().filter_map(|text| Route::parse(text).ok()) {
        current.retain(|known| known.agent != route.agent);
        current.push(route);
    }
    current
}

/// Adds one, if there are such minds.
pub fn add_route(store: &mut Store, route: &Route) -> Result<()> {
    for mind in &route.minds {
        let named = Named::parse(mind);
        agent::check(store, Some(named.mind), None)?;
        if let Some(text) = named.text {
            system::text_of(store.root(), text)?;
            super::mind::reads_a_system_message(store, named)?;
        }
    }
    let mut all = routes(store)?;
    all.push(route.text());
    keep(store, &all)
}

/// Gives an agent another name, and its routes with it.
///
/// # Errors
/// For a name that no route and no key could have, or that another agent has.
pub fn rename(store: &mut Store, agent: &AgentRow, name: &str) -> Result<()> {
    if !is_name(name) {
        return Err(Error::usage(format!("`{name}` is no name of an agent"))
            .hint("letters, digits, - and _"));
    }
    store.name_agent(agent.id, name)?;
    let all = routes(store)?;
    let moved = |text: &String| match Route::parse(text) {
        Ok(route) if route.agent.as_deref() == Some(&agent.name) => {
            Route { agent: Some(name.into()), ..route }.text()
        }
        _ => text.clone(),
    };
    keep(store, &all.iter().map(moved).collect::<Vec<_>>())
}

/// Takes the last one of an agent back; none is that of every agent.
///
/// # Errors
/// Where there is none.
pub fn take_back(store: &mut Store, agent: Option<&str>) -> Result<()> {
    let mut all = routes(store)?;
    let of = |text: &String| Route::parse(text).is_ok_and(|route| route.agent.as_deref() == agent);
    let Some(last) = all.iter().rposition(of) else {
        let who = agent.unwrap_or("every agent");
        return Err(Error::usage(format!("there is no route of {who} to be taken back"))
            .hint("foretaste gateway route says who answers"));
    };
    all.remove(last);
    keep(store, &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_taken_back_to_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        for text in ["novice", "player=novice", "player=embedded,novice"] {
            add_route(&mut store, &Route::parse(text).unwrap()).unwrap();
        }
        let of = |store: &Store| -> Vec<String> {
            current(&routes(store).unwrap()).iter().map(Route::text).collect()
        };
        assert_eq!(of(&store), ["novice", "player=embedded,novice"]);
        take_back(&mut store, Some("player")).unwrap();
        assert_eq!(of(&store), ["novice", "player=novice"]);
        take_back(&mut store, Some("player")).unwrap();
        assert!(take_back(&mut store, Some("player")).is_err());
        take_back(&mut store, None).unwrap();
        assert!(of(&store).is_empty());
    }
}
