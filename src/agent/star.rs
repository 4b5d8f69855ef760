//! `STaR`: thoughts that led a policy to the expert's action by themselves (Zelikman et al. 2022; the
//! paper's comparison in table 4). No alternative is executed for them, and no outcome is seen.

use super::{Agent, Ask, Case, Reflector};
use crate::control::Cancel;
use crate::error::Result;
use crate::experience::RATIONALE;
use crate::model::sampler::Sampling;

/// Lets a mind think in each state and then act by its likeliest words: what it thought is kept where
/// that was the expert's action, and is no text otherwise.
pub struct Star(pub Box<dyn Agent>);

impl Reflector for Star {
    fn generator(&self) -> String {
        format!("{RATIONALE}{}, STaR", self.0.name())
    }

    fn sees_outcomes(&self) -> bool {
        false
    }

    fn spent(&self) -> Option<super::Spent> {
        self.0.spent()
    }

    fn expects(&self, cases: &[&Case]) -> Option<super::Estimate> {
        // It is asked twice: what it thinks, and what it does then.
        self.0.expects(cases).map(|once| once.times(2))
    }

    fn reflect(
        &mut self,
        cases: &[(&Case, u64)],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<String>> {
        let seeds: Vec<[u64; 1]> = cases.iter().map(|(_, seed)| [*seed]).collect();
        let asks: Vec<Ask<'_>> = cases
            .iter()
            .zip(&seeds)
            .map(|((case, _), seeds)| Ask::about(&case.state, seeds))
            .collect();
        let thoughts: Vec<Option<String>> = self
            .0
            .think(&asks, how, cancel)?
            .into_iter()
            .map(|written| written.into_iter().next())
            .map(|thought| thought.filter(|thought| thought.ended).map(|thought| thought.text))
            .collect();
        let asks: Vec<Ask<'_>> = asks
            .into_iter()
            .zip(&thoughts)
            .map(|(ask, thought)| Ask { thought: thought.as_deref(), ..ask })
            .collect();
        let acted = self.0.act(&asks, Sampling::GREEDY, cancel)?;
        let led = |((case, _), written): (&(&Case, u64), Vec<super::Completion>)| {
            written.first().is_some_and(|action| action.text == case.action)
        };
        let kept: Vec<bool> = cases.iter().zip(acted).map(led).collect();
        let texts = thoughts.into_iter().zip(kept);
        Ok(texts.map(|(text, led)| text.filter(|_| led).unwrap_or_default()).collect())
    }
}

#[cfg(test)]
#[path = "star_tests.rs"]
mod tests;
