//! `foretaste --plain`: the program as plain lines and a prompt, for screen readers and slow lines.
//! The same sessions, store and models as the screens; nothing is ever drawn over.

use std::path::Path;
use std::sync::Arc;

use super::out::{self, say};
use crate::agent::{self, Agent, Among, weigh};
use crate::control::Cancel;
use crate::curation::{self, Judged, judged};
use crate::env::Suite;
use crate::error::{Error, Result};
use crate::experience::{REASONS, Verdict};
use crate::explore::{Keeping, Kept, Outcome, Session, Tried, keep, reflect};
use crate::model::team::Priority;
use crate::paths;
use crate::store::{Decision, Filter, Place, Store};

const EXPLORING: &str = "e: take the expert's action. NUMBER: take that action. what NUMBER: \
                         predicted and actual, without taking it. back. look: say it again. next: \
                         another task. keep: keep a solved episode. reflect: write a reflection. \
                         curate: decide on reflections. quit.";
const CURATING: &str = "a: approve. x CODE: reject, with a code of the list. e TEXT: write a new \
                        version. s: skip. u: undo. r: redo. codes: list the codes. figures: how \
                        the curation stands. back: to exploring.";

struct Plain {
    suite: Arc<dyn Suite>,
    store: Store,
    agent: Box<dyn Agent>,
    session: Session,
    split: String,
    task: usize,
    /// What was executed in the current state.
    tried: Vec<Outcome>,
    /// What was executed and expected in all states of the task.
    all: Tried,
}

/// Reads commands until `quit` or the end of the input.
pub fn run(root: &Path, suite: Arc<dyn Suite>, expert: Option<&str>) -> Result<()> {
    let store = Store::open(root)?;
    let agent = agent::open(&store, None, Priority::Interactive)?;
    let split =
        suite.splits().first().cloned().ok_or_else(|| Error::new("the suite has no splits"))?;
    let first = suite.tasks(&split)?.first().map(|task| task.id.clone());
    let first = first.ok_or_else(|| Error::new(format!("split {split} has no tasks")))?;
    let session = Session::open(&suite, &split, &first, expert)?;
    let all = Tried { model: agent.name(), ..Tried::default() };
    let mut plain = Plain { suite, store, agent, session, split, task: 0, tried: Vec::new(), all };
    say("foretaste, plain. Type help for the commands.");
    plain.say()?;
    while let Some(line) = ask("> ")? {
        let done = match plain.obey(&line) {
            Ok(go_on) => !go_on,
            Err(error) => {
                say(&format!("error: {error}"));
                false
            }
        };
        if done {
            break;
        }
    }
    Ok(())
}

fn ask(prompt: &str) -> Result<Option<String>> {
    out::ask(prompt);
    let line = paths::stdin_line().map_err(|e| Error::new(format!("reading stdin: {e}")))?;
    Ok(line.map(|line| line.trim().to_string()))
}

impl Plain {
    fn say(&mut self) -> Result<()> {
        let view = self.session.view()?;
        say(&format!("Task: {}", &view.task));
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
        match &view.expert {
            Some((name, advice)) => say(&format!("Expert {name}: {}", advice.action)),
            None => say("No expert speaks here."),
        }
        Ok(())
    }

    /// Carries a command out; false to leave.
    fn obey(&mut self, line: &str) -> Result<bool> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let moved = match (word, word.parse::<usize>()) {
            ("", _) => return Ok(true),
            ("quit" | "q", _) => return Ok(false),
            ("help" | "?", _) => {
                say(EXPLORING);
                return Ok(true);
            }
            ("curate", _) => return self.curate().map(|()| true),
            ("reflect", _) => return self.reflect().map(|()| true),
            ("what", _) => return self.what_if(rest).map(|()| true),
            ("look", _) => Ok(()),
            ("back", _) => {
                self.session.back();
                Ok(())
            }
            ("keep", _) => {
                let twice = rest.trim() == "twice";
                let said = match keep(&mut self.session, &self.all, &mut self.store, twice)? {
                    Keeping::Kept(Kept { id, by, branches, .. }) => {
                        format!(
                            "Kept as demonstration {id}, by {by}, with {branches} alternatives."
                        )
                    }
                    Keeping::Known(id) => format!(
                        "Demonstration {id} has the same actions in the same task, and both would \
                         count. keep twice keeps it all the same."
                    ),
                };
                say(&said);
                return Ok(true);
            }
            ("next", _) => self.next(),
            ("e", _) => {
                let said = self
                    .session
                    .view()?
                    .expert
                    .ok_or_else(|| Error::new("no expert speaks here"))?;
                self.session.step(&said.1.action, &said.0)
            }
            (_, Ok(n)) => {
                let action = self.action(n)?;
                self.session.step(&action, "human")
            }
            _ if self.session.view()?.takes(line) => self.session.step(line, "human"),
            _ => Err(Error::new(format!("there is no command `{line}`")).hint("help lists them")),
        };
        moved?;
        self.tried.clear();
        self.say()?;
        Ok(true)
    }

    fn action(&mut self, n: usize) -> Result<String> {
        let view = self.session.view()?;
        let found = n.checked_sub(1).and_then(|i| view.admissible.get(i).cloned());
        found.ok_or_else(|| Error::new(format!("there is no action {n}")).hint("look lists them"))
    }

    fn next(&mut self) -> Result<()> {
        let tasks = self.suite.tasks(&self.split)?;
        self.task = (self.task + 1) % tasks.len().max(1);
        let id = tasks
            .get(self.task)
            .map(|task| task.id.clone())
            .ok_or_else(|| Error::new("no tasks"))?;
        self.all = Tried { model: self.agent.name(), ..Tried::default() };
        let asked = self.session.asked().to_string();
        self.session = Session::open(&self.suite, &self.split, &id, Some(&asked))?;
        Ok(())
    }

    fn what_if(&mut self, rest: &str) -> Result<()> {
        let n = rest
            .trim()
            .parse()
            .map_err(|_| Error::new(format!("`{rest}` is no number")).hint("like: what 2"))?;
        let action = self.action(n)?;
        let state = self.session.view()?.state;
        let predicted =
            self.agent.foresee(&state, std::slice::from_ref(&action), &Cancel::default())?;
        let outcome = self.session.outcomes(&[(action, "human".to_string())])?.remove(0);
        say(&format!("Predicted: {}", predicted.first().map_or("", |text| text.trim())));
        say(&format!("Actual: {}", outcome.observation.trim()));
        say(&format!("Effect: {}.", outcome.effect.as_str()));
        let text = predicted.first().cloned().unwrap_or_default();
        self.all.foreseen.push((state.clone(), vec![(outcome.action.clone(), text)]));
        self.all.outcomes.push((state, vec![outcome.clone()]));
        self.tried.retain(|known| known.action != outcome.action);
        self.tried.push(outcome);
        Ok(())
    }

    fn reflect(&mut self) -> Result<()> {
        let (_, text) = reflect(&mut self.session, &self.tried, &mut self.store)?;
        say(&format!("Written, to be decided on in curate: {text}"));
        Ok(())
    }

    fn curate(&mut self) -> Result<()> {
        say(CURATING);
        let mut skipped = 0;
        loop {
            let queue = self.store.queue(
                &Filter::verdict(Some(Verdict::Pending)),
                Place::Start,
                skipped + 1,
            )?;
            let Some(item) = queue.items.get(skipped) else {
                say("No more reflections to decide on.");
                return Ok(());
            };
            let Judged { trajectory, case, findings } = judged(&self.store, item)?;
            say(&format!(
                "Reflection {}, {} pending. Task: {}",
                item.id, queue.verdict_counts[0], &trajectory.task
            ));
            say(&format!("Before: {}", trajectory.observation_at(item.t).trim()));
            if let Some(case) = &case {
                say(&format!("Expert: {}, which led to: {}", &case.action, case.outcome.trim()));
                for b in &case.alternatives {
                    say(&format!(
                        "Alternative: {}, which led to: {}",
                        &b.action,
                        b.observation.trim()
                    ));
                }
            }
            for s in findings {
                say(&format!("Rule {}: {}.", s.code, s.why));
            }
            say(&format!("Text: {}", item.text()));
            let Some(line) = ask("curate> ")? else { return Ok(()) };
            let id = item.id;
            let decided = match line.split_once(' ').unwrap_or((&line, "")) {
                ("a", _) => self.store.decide(id, &Decision::Approve).map(drop),
                ("x", code) if REASONS.iter().any(|(known, _)| *known == code.trim()) => {
                    self.store.decide(id, &Decision::Reject(code.trim().to_string())).map(drop)
                }
                ("e", text) if !text.trim().is_empty() => {
                    self.store.decide(id, &Decision::Edit(text.trim().to_string())).map(drop)
                }
                ("s", _) => {
                    skipped += 1;
                    Ok(())
                }
                ("u", _) => self
                    .store
                    .undo()
                    .map(|done| say(done.map_or("Nothing to undo.", |_| "Taken back."))),
                ("r", _) => self
                    .store
                    .redo()
                    .map(|done| say(done.map_or("Nothing to redo.", |_| "Done again."))),
                ("help" | "?", _) => {
                    say(CURATING);
                    Ok(())
                }
                ("figures", _) => {
                    curation::figures(&self.store)?.lines().iter().for_each(|line| say(line));
                    Ok(())
                }
                ("codes", _) => {
                    for (code, what) in REASONS {
                        say(&format!("{code}: {what}"));
                    }
                    Ok(())
                }
                ("back" | "quit", _) => return Ok(()),
                _ => Err(Error::new(format!("`{line}` is no decision")).hint(CURATING)),
            };
            if let Err(error) = decided {
                say(&format!("error: {error}"));
            }
        }
    }
}
