//! Exploring in plain lines: the state, its actions, what they would lead to.

use super::super::out::say;
use super::{Next, Plain};
use crate::agent::{Among, weigh};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::explore::{HUMAN, Keeping, Kept, keep, reflect};
use crate::text::counted;

impl Plain {
    /// Says the state and what can be done in it.
    pub(super) fn say(&mut self) -> Result<()> {
        let view = self.session.view()?;
        say(&format!("Task {}: {}", view.task_id, view.task));
        say(&format!("Step {} of {}.", view.depth, view.limit));
        say(view.observation.trim());
        if view.success {
            say("Solved. keep keeps it, next opens another task.");
            return Ok(());
        }
        if view.done {
            say("The episode is over here. back goes back.");
            return Ok(());
        }
        let among = [Among::of(&view.state, &view.admissible)];
        let scored = weigh(self.agent.as_mut(), &among, 1, &Cancel::default())?.shares;
        for (i, (action, share)) in view.admissible.iter().zip(scored.iter().flatten()).enumerate()
        {
            say(&format!("{}: {}, {:.1} percent", i + 1, action, 100.0 * share));
        }
        if !view.forms.is_empty() {
            say(&format!("Or type it, like {}", view.forms.join(", ")));
        }
        match (&view.expert, &view.distance) {
            (Some((name, advice)), Ok(left)) => {
                say(&format!(
                    "Expert {name}: {}. The goal is {} away.",
                    advice.action,
                    counted(*left as u64, "step")
                ));
            }
            (Some((name, advice)), Err(_)) => say(&format!("Expert {name}: {}", advice.action)),
            (None, _) => say("No expert speaks here. expert asks the next one."),
        }
        Ok(())
    }

    /// Carries out what is about the task in front; none for other words.
    pub(super) fn explore(&mut self, line: &str, word: &str, rest: &str) -> Option<Result<Next>> {
        let number = word.parse::<usize>();
        Some(match (word, rest) {
            ("look", "") => Ok(Next::Say),
            ("e", "") => self.by_expert(),
            ("what", "all") => self.what_if(None),
            ("what", n) => self.numbered(n).and_then(|action| self.what_if(Some(action))),
            ("back", "") => Ok(self.back()),
            ("keep", "") => self.keep(false),
            ("keep", "twice") => self.keep(true),
            ("reflect", "") => self.reflect(),
            ("nodes", "") => self.nodes(),
            ("go", n) => self.go(n),
            ("name", _) => self.name(rest),
            ("expert", "") => {
                self.session.next_expert();
                Ok(Next::Say)
            }
            ("next", "") => self.beside(1),
            ("previous", "") => self.beside(-1),
            ("open", task) => self.open(task),
            ("split", name) => self.split(name),
            ("from", _) => self.from(rest),
            (n, "") if number.is_ok() => {
                self.numbered(n).and_then(|action| self.step(&action, HUMAN))
            }
            _ if self.session.view().is_ok_and(|view| view.takes(line)) => self.step(line, HUMAN),
            _ => return None,
        })
    }

    /// Takes an action.
    pub(super) fn step(&mut self, action: &str, source: &str) -> Result<Next> {
        self.session.step(action, source)?;
        Ok(self.moved())
    }

    /// Another state is in front.
    pub(super) fn moved(&mut self) -> Next {
        self.tried.clear();
        Next::Say
    }

    fn by_expert(&mut self) -> Result<Next> {
        let said = self.session.view()?.expert;
        let (name, advice) = said
            .ok_or_else(|| Error::new("no expert speaks here").hint("expert asks the next one"))?;
        self.step(&advice.action, &name)
    }

    fn back(&mut self) -> Next {
        if self.session.back() {
            return self.moved();
        }
        say("This is the start.");
        Next::Stay
    }

    /// The action of a number of the list.
    fn numbered(&mut self, n: &str) -> Result<String> {
        let view = self.session.view()?;
        let at = n.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let found = at.and_then(|at| view.admissible.get(at).cloned());
        found.ok_or_else(|| Error::new(format!("there is no action {n}")).hint("look lists them"))
    }

    /// Says what an action, or every one, was expected to lead to and really leads to.
    fn what_if(&mut self, action: Option<String>) -> Result<Next> {
        let view = self.session.view()?;
        let actions = action.map_or(view.admissible, |action| vec![action]);
        if actions.is_empty() {
            say("There is nothing to do here.");
            return Ok(Next::Stay);
        }
        let foreseen = self.agent.foresee(&view.state, &actions, &Cancel::default())?;
        let wanted: Vec<_> = actions.iter().map(|a| (a.clone(), HUMAN.to_string())).collect();
        let outcomes = self.session.outcomes(&wanted)?;
        for ((action, expected), outcome) in actions.iter().zip(&foreseen).zip(&outcomes) {
            say(&format!("Action: {action}"));
            say(&format!("Predicted: {}", expected.trim()));
            say(&format!("Actual: {}", outcome.observation.trim()));
            let left = outcome.steps_left;
            let left =
                left.map_or(String::new(), |left| format!(" Then {left} steps to the goal."));
            say(&format!("Effect: {}.{left}", outcome.effect.as_str()));
        }
        let expected = actions.iter().cloned().zip(foreseen).collect();
        self.all.foreseen.push((view.state.clone(), expected));
        self.all.outcomes.push((view.state, outcomes.clone()));
        self.tried.retain(|known| !actions.contains(&known.action));
        self.tried.extend(outcomes);
        Ok(Next::Stay)
    }

    fn keep(&mut self, twice: bool) -> Result<Next> {
        say(&match keep(&mut self.session, &self.all, &mut self.store, twice)? {
            Keeping::Kept(Kept { id, by, branches, .. }) => {
                format!("Kept as demonstration {id}, by {by}, with {branches} alternatives.")
            }
            Keeping::Known(id) => format!(
                "Demonstration {id} has the same actions in the same task, and both would count. \
                 keep twice keeps it all the same."
            ),
        });
        Ok(Next::Stay)
    }

    fn reflect(&mut self) -> Result<Next> {
        let (_, text) = reflect(&mut self.session, &self.tried, &mut self.store)?;
        say(&format!("Written, to be decided on in curate: {text}"));
        Ok(Next::Stay)
    }
}
