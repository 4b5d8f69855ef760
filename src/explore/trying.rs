//! Trying actions in the state that a person stands in, and playing on from them.

use std::time::{Duration, Instant};

use super::{CONTINUATION_STEPS, HUMAN, Outcome, Session, way_to, went};
use crate::control::Cancel;
use crate::env::{Advice, Environment, Expert, Experts, Forks, GivenAdvice, NoAdvice};
use crate::episode::{Episode, ExpertBaseline, Leg, Trial, Worlds, follow, step_of, try_action};
use crate::error::{Error, Result};
use crate::experience::Trajectory;

impl Session {
    /// What the expert says in the current state; none where a person is the expert.
    pub(super) fn advice(&mut self) -> Result<Option<Result<GivenAdvice, NoAdvice>>> {
        if self.asked == HUMAN {
            return Ok(None);
        }
        let asked = Some(self.asked.as_str());
        let way = way_to(&self.nodes, self.at);
        self.worlds
            .look(&way, |env, experts| experts.advise(asked, env, &Cancel::default()))
            .map(Some)
    }

    /// Executes actions in the current state.
    pub fn outcomes(&mut self, actions: &[(String, String)]) -> Result<Vec<Outcome>> {
        let advice = self.advice()?;
        let way = way_to(&self.nodes, self.at);
        let expert = advice.and_then(Result::ok).map(|voice| voice.advice.action);
        against(&mut self.worlds, &way, expert.as_deref(), actions)
    }

    /// What was executed at step `t` of the way here, held against the step that was taken there:
    /// the expert's may have been another one.
    pub(super) fn held_against_own(
        &mut self,
        t: usize,
        outcomes: &[Outcome],
    ) -> Result<Vec<Outcome>> {
        let path = self.path();
        let (Some(here), Some(next)) = (path.get(t), path.get(t + 1)) else {
            return Ok(outcomes.to_vec());
        };
        let way = way_to(&self.nodes, *here);
        let own = &self.nodes[*next].action;
        if outcomes.iter().all(|outcome| outcome.against.as_ref() == Some(own)) {
            return Ok(outcomes.to_vec());
        }
        let actions: Vec<_> = outcomes
            .iter()
            .map(|outcome| (outcome.action.clone(), outcome.source.clone()))
            .collect();
        against(&mut self.worlds, &way, Some(own), &actions)
    }

    /// Whether worlds can be copied, or one more of them is led along the way again.
    pub fn forks(&mut self) -> Result<Forks> {
        self.worlds.look(&way_to(&self.nodes, self.at), |env, _| env.forks())
    }

    /// The episode up to an action of the current state, with a world of its own: to be played on
    /// elsewhere for at most [`CONTINUATION_STEPS`] steps.
    pub fn after(&mut self, action: &str) -> Result<Episode> {
        let mut env = self.worlds.give(&way_to(&self.nodes, self.at))?;
        env.step(action)?;
        let mut trajectory = self.trajectory();
        trajectory.steps.push(step_of(env.turn(), action, HUMAN));
        Ok(Episode {
            env,
            experts: Experts::default(),
            limit: trajectory.steps.len() + CONTINUATION_STEPS,
            trajectory,
        })
    }

    /// How the expert would go on from what an action leads to, in words: at most
    /// [`CONTINUATION_STEPS`] steps, and two seconds.
    pub fn expert_goes_on(&mut self, action: &str) -> Result<String> {
        let mut env = self.after(action)?.env;
        let asked = Some(self.asked.clone()).filter(|asked| asked != HUMAN);
        let anyone = Anyone {
            experts: &self.worlds.experts,
            asked,
            until: Instant::now() + Duration::from_secs(2),
        };
        let mut done = 0;
        let ended =
            follow(env.as_mut(), &anyone, CONTINUATION_STEPS, &Cancel::default(), |_, _| {
                done += 1;
            })?;
        Ok(match ended {
            Err(why) if !env.turn().done && done < CONTINUATION_STEPS => {
                format!("expert from there: silent after {done} more ({why})")
            }
            _ => format!("expert from there: {}", went(env.turn(), done)),
        })
    }

    /// The way here and the expert's step from here, with what was executed beside it: what a
    /// reflection is written about. Refused where no expert speaks.
    pub fn with_advice(&mut self) -> Result<Trajectory> {
        let Some(Ok(voice)) = self.advice()? else {
            return Err(Error::new("no expert speaks here, so there is nothing to explain")
                .hint("e lets another speak"));
        };
        let way = way_to(&self.nodes, self.at);
        let (executed, ()) = self.worlds.execute(&way, &voice.advice.action, |_, _, _| ())?;
        let mut trajectory = self.trajectory();
        trajectory.steps.push(step_of(&executed.turn, &voice.advice.action, voice.name));
        trajectory.actor = voice.name.to_string();
        Ok(trajectory)
    }
}

/// Whichever expert has an answer, for a while.
struct Anyone<'a> {
    experts: &'a Experts,
    asked: Option<String>,
    until: Instant,
}

impl Expert for Anyone<'_> {
    fn name(&self) -> &'static str {
        "anyone"
    }

    fn advise(&self, env: &dyn Environment, cancel: &Cancel) -> Result<Advice, NoAdvice> {
        if Instant::now() > self.until {
            return Err(NoAdvice::Other("two seconds are over".into()));
        }
        self.experts.advise(self.asked.as_deref(), env, cancel).map(|voice| voice.advice)
    }
}

/// What actions lead to, each with who proposed it, held against another one where there is one.
pub(super) fn against(
    worlds: &mut Worlds<'_>,
    way: &[Leg<'_>],
    expert: Option<&str>,
    actions: &[(String, String)],
) -> Result<Vec<Outcome>> {
    let baseline = expert.map(|action| ExpertBaseline::new(worlds, way, action)).transpose()?;
    let one = |(action, source): &(String, String)| {
        let Trial { turn, effect, steps_left } =
            try_action(worlds, way, action, baseline.as_ref(), true)?;
        Ok(Outcome {
            action: action.clone(),
            source: source.clone(),
            observation: turn.observation.to_string(),
            effect,
            reward: turn.reward,
            success: turn.success,
            steps_left,
            against: expert.map(str::to_string),
        })
    };
    actions.iter().map(one).collect()
}
