//! One mind a role: who acts, who foresees, who reflects.

use super::{
    Agent, Among, Ask, Can, Case, Completion, Each, Estimate, Flow, Reflector, Spent, Usage,
};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::experience::State;
use crate::model::sampler::Sampling;

/// Which minds are asked, by name; the policy stands in for a role that has none of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cast {
    /// Who acts; none is the newest checkpoint.
    pub policy: Option<String>,
    /// Who foresees what actions lead to.
    pub world: Option<String>,
    /// Who explains.
    pub reflector: Option<String>,
}

impl Cast {
    /// From what a person writes: a name alone is the policy; `policy=A, world=B, reflector=C` names
    /// several, each of them or some.
    pub fn parse(text: &str) -> Result<Self> {
        let mut cast = Self::default();
        if !text.split(',').any(|part| role_in(part).is_some()) {
            cast.policy = Some(text.to_string());
            return Ok(cast);
        }
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let Some((role, name)) = role_in(part) else {
                return Err(Error::usage(format!("`{}` names no role", part.trim()))
                    .hint("an example: policy=embedded, world=12, reflector=writer"));
            };
            let place = match role {
                "policy" => &mut cast.policy,
                "world" => &mut cast.world,
                _ => &mut cast.reflector,
            };
            if name.is_empty() || place.replace(name.to_string()).is_some() {
                return Err(Error::usage(format!("`{role}` is to be named once")));
            }
        }
        Ok(cast)
    }
}

/// A role and a name. A name may have `=` in it (a path, a URL): only these words are roles.
fn role_in(part: &str) -> Option<(&str, &str)> {
    let (role, name) = part.split_once('=')?;
    let role = role.trim();
    ["policy", "world", "reflector"].contains(&role).then(|| (role, name.trim()))
}

/// Minds of which each is asked what its role is.
pub struct Roles {
    /// Who acts.
    pub policy: Box<dyn Agent>,
    /// Who foresees, if another.
    pub world: Option<Box<dyn Agent>>,
    /// Who explains, if another.
    pub reflector: Option<Box<dyn Agent>>,
}

impl Roles {
    fn others(&self) -> impl Iterator<Item = &dyn Agent> {
        [&self.world, &self.reflector].into_iter().flatten().map(AsRef::as_ref)
    }
}

impl Agent for Roles {
    fn name(&self) -> String {
        self.policy.name()
    }

    fn world_name(&self) -> String {
        self.world.as_ref().map_or_else(|| self.policy.world_name(), |world| world.name())
    }

    fn described(&self) -> String {
        let mut said = self.policy.described();
        if let Some(world) = &self.world {
            said.push_str(&format!(" · world {}", world.described()));
        }
        if let Some(reflector) = &self.reflector {
            said.push_str(&format!(" · reflector {}", reflector.described()));
        }
        said
    }

    fn can(&self) -> Can {
        self.policy.can()
    }

    fn usage(&self) -> Usage {
        self.others().fold(self.policy.usage(), |sum, other| sum.and(other.usage()))
    }

    fn reads(&self, state: &State) -> Result<bool> {
        self.policy.reads(state)
    }

    fn act(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        self.policy.act(asks, how, cancel)
    }

    fn think(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        self.policy.think(asks, how, cancel)
    }

    fn score(&mut self, asks: &[Among<'_>], cancel: &Cancel) -> Result<Option<Vec<Vec<f64>>>> {
        self.policy.score(asks, cancel)
    }

    fn predict(
        &mut self,
        asks: &[Among<'_>],
        cancel: &Cancel,
        each: Each<'_>,
    ) -> Result<Vec<Vec<String>>> {
        self.world.as_mut().unwrap_or(&mut self.policy).predict(asks, cancel, each)
    }

    fn flow(&self) -> Option<Box<dyn Flow + '_>> {
        self.policy.flow()
    }

    fn given(&self, state: &State, thought: Option<&str>) -> Result<String> {
        self.policy.given(state, thought)
    }
}

impl Reflector for Roles {
    fn generator(&self) -> String {
        self.reflector.as_ref().unwrap_or(&self.policy).generator()
    }

    fn sees_outcomes(&self) -> bool {
        self.reflector.as_ref().unwrap_or(&self.policy).sees_outcomes()
    }

    fn spent(&self) -> Option<Spent> {
        let others = self.others().filter_map(Reflector::spent);
        self.policy.spent().into_iter().chain(others).reduce(Spent::and)
    }

    fn expects(&self, cases: &[&Case]) -> Option<Estimate> {
        self.reflector.as_ref().unwrap_or(&self.policy).expects(cases)
    }

    fn has_contrast(&self, case: &Case) -> bool {
        self.reflector.as_ref().unwrap_or(&self.policy).has_contrast(case)
    }

    fn reflect(
        &mut self,
        cases: &[(&Case, u64)],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<String>> {
        self.reflector.as_mut().unwrap_or(&mut self.policy).reflect(cases, how, cancel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_the_policy_and_roles_are_named_once() {
        let cast = |text: &str| Cast::parse(text).unwrap();
        assert_eq!(cast("embedded").policy.as_deref(), Some("embedded"));
        assert_eq!(cast("models/a=b,c").policy.as_deref(), Some("models/a=b,c"));
        let both = cast("world=http://h/v1?x, reflector = writer");
        assert_eq!((both.policy, both.world.as_deref()), (None, Some("http://h/v1?x")));
        assert_eq!(both.reflector.as_deref(), Some("writer"));
        assert!(Cast::parse("world=a, world=b").is_err());
        assert!(Cast::parse("world=a, b").unwrap_err().message().contains("`b` names no role"));
    }
}
