//! The thread that owns the model of Explore.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Door, Mailbox, Worker};
use crate::agent::choosing::Choosing;
use crate::agent::local::LocalAgent;
use crate::agent::template::Template;
use crate::agent::{Case, Policy, Reflector, WorldModel, Writer, likeliest, shares};
use crate::control::Cancel;
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::experience::State;
use crate::explore::{ON, went};
use crate::guard::guarded;
use crate::model::sampler::Sampling;
use crate::model::team::{self, Priority};
use crate::rng::Rng;
use crate::store::Store;
use crate::train::checkpoint;
use crate::tui::effect::{Beside, Look, Screen};
use crate::tui::msg::Msg;
use crate::tui::screens::{curate, explore};
use crate::tui::words::percent;

enum Command {
    Look(Box<Look>, Cancel),
    Load(Option<String>),
    Prompt(Box<State>, Vec<String>, bool),
    Again(i64, Writer, Box<Case>),
    GoOn(usize, Vec<Fork>),
    Beside(Box<Beside>),
}

/// An action, the world after it, and the state it is in.
type Fork = (String, Box<dyn Environment>, State);

/// The door by which the world hands over forks to be played on from.
pub struct PlayOn(Door<Command>);

impl PlayOn {
    /// Plays on from forks of a node, once what is asked already is answered.
    pub fn go_on(&self, node: usize, forks: Vec<Fork>) {
        self.0.send(Command::GoOn(node, forks));
    }
}

/// The handle of the thread. A new request ends the one under way.
pub struct Mind {
    commands: Worker<Command>,
    current: Arc<Mutex<Cancel>>,
}

impl Mind {
    /// Starts the thread; it loads the newest checkpoint, else the embedded model.
    pub fn start(root: PathBuf, mail: Mailbox) -> Self {
        let own = mail.clone();
        let mut agent = None;
        let commands = Worker::start("the mind", &own, move |command| match command {
            Command::Load(name) => load(&root, name.as_deref(), &mail).map(|loaded| agent = Some(loaded)),
            Command::Look(look, cancel) if !cancel.is_cancelled() => match agent.as_mut() {
                Some(agent) => think(agent, &look, &cancel, &mail),
                None => Err(Error::new("no model is loaded")),
            },
            Command::Look(..) => Ok(()),
            Command::Beside(beside) => before_and_after(&root, &beside, &mail),
            other => match agent.as_mut() {
                Some(agent) => answer(agent, other, &mail),
                None => Err(Error::new("no model is loaded")),
            },
        });
        Self { commands, current: Arc::default() }
    }

    /// The door for the world.
    pub fn play_on(&self) -> PlayOn {
        PlayOn(self.commands.door())
    }

    /// The exact prompt for a state, and raw replies to it.
    pub fn prompt(&self, state: Box<State>, actions: Vec<String>, think: bool) {
        self.commands.send(Command::Prompt(state, actions, think));
    }

    /// Another attempt at a reflection.
    pub fn again(&self, id: i64, writer: Writer, case: Box<Case>) {
        self.commands.send(Command::Again(id, writer, case));
    }

    /// Holds two models against each other.
    pub fn beside(&self, beside: Box<Beside>) {
        self.commands.send(Command::Beside(beside));
    }

    fn renew(&self) -> Cancel {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.cancel();
        *current = Cancel::default();
        current.clone()
    }

    /// Thinks about a state.
    pub fn look(&self, look: Look) {
        self.commands.send(Command::Look(Box::new(look), self.renew()));
    }

    /// Loads another model: a checkpoint's number, `embedded`, or the newest checkpoint.
    pub fn load(&self, name: Option<String>) {
        self.renew();
        self.commands.send(Command::Load(name));
    }
}

/// What is asked on the side.
fn answer(agent: &mut LocalAgent, command: Command, mail: &Mailbox) -> Result<()> {
    agent.set_cancel(Cancel::default());
    let _waiting = team::interactive();
    match command {
        Command::Prompt(state, actions, think) => {
            let mut lines = vec![format!("model {}", agent.model().source), String::new(), "To act, it is given:".into()];
            let thought = if think { Some(agent.think(&state, 0.0, 0)?) } else { None };
            lines.extend(agent.prompt_text(&state, thought.as_deref())?.lines().map(str::to_string));
            if thought.is_some() {
                lines.push("(what stands after <|think|> it wrote itself, its likeliest words)".into());
            }
            let proposed = agent.propose(&state, thought.as_deref(), 1.0, &Rng::seeds(1, "prompt", 3))?;
            lines.extend([String::new(), "Asked freely (three samples, temperature 1) it replies:".into()]);
            lines.extend(proposed.iter().map(|text| format!("  {text:?}")));
            let predicted = agent.predict(&state, &actions, &mut |_, _| true)?;
            lines.extend([String::new(), "Asked what these actions lead to (greedy) it replies:".into()]);
            lines.extend(actions.iter().zip(&predicted).map(|(action, text)| format!("  {action} → {text:?}")));
            mail.send(Msg::Text(Screen::Explore, "Prompt and replies".into(), lines));
        }
        Command::Again(id, writer, case) => {
            // Another seed for every attempt; the number of milliseconds will not come twice.
            let written = write(agent, writer, &case, crate::store::now_ms() as u64);
            mail.send(Msg::Curate(match &written {
                Ok((author, text)) => curate::Msg::Written(id, author.clone(), text.clone()),
                Err(_) => curate::Msg::Failed,
            }));
            written?;
        }
        Command::GoOn(node, forks) => {
            for (action, env, state) in forks {
                let how = format!("policy on from there: {}", play(agent, env, state)?);
                mail.send(Msg::Explore(explore::Msg::WentOn(node, action, how)));
            }
        }
        Command::Look(..) | Command::Load(_) | Command::Beside(_) => {}
    }
    Ok(())
}

/// An attempt at a reflection: who wrote it, and the text.
fn write(agent: &mut LocalAgent, writer: Writer, case: &Case, seed: u64) -> Result<(String, String)> {
    let model = agent.generator();
    Ok(match writer {
        Writer::Model => (model, agent.reflect(case, seed)?),
        Writer::Greedy => (format!("{model}, T 0"), agent.think_by(&case.state, Sampling::GREEDY, seed)?),
        Writer::Bold => (format!("{model}, T 1.1"), agent.think_by(&case.state, Sampling::at(1.1), seed)?),
        Writer::Template => (Template.generator(), Template.reflect(case, seed)?),
    })
}

/// What two models make of one state, side by side.
fn before_and_after(root: &std::path::Path, beside: &Beside, mail: &Mailbox) -> Result<()> {
    let store = Store::open(root)?;
    let shares_of = |name: &str| -> Result<(String, Vec<f64>)> {
        let model = checkpoint::load(&store, Some(name))?;
        let mut agent = LocalAgent::new(model, Cancel::default(), Priority::Interactive)?;
        let scores = agent.score(&beside.state, None, &beside.actions)?;
        Ok((agent.model().source.clone(), shares(&scores)))
    };
    let (old, before) = shares_of(&beside.before)?;
    let (new, after) = shares_of(&beside.after)?;
    let mut order: Vec<usize> = (0..beside.actions.len()).collect();
    order.sort_by(|a, b| after[*b].total_cmp(&after[*a]));
    let mut lines = vec![format!("The state that is open in Explore: {}", beside.state.task), String::new()];
    lines.extend([format!("before: {old}"), format!("after:  {new}"), String::new(), "before   after".into()]);
    lines.extend(order.into_iter().map(|i| {
        let mark = if beside.expert.as_ref() == Some(&beside.actions[i]) { "  (expert)" } else { "" };
        format!("{}  {}  {}{mark}", percent(before[i]), percent(after[i]), beside.actions[i])
    }));
    mail.send(Msg::Text(Screen::Train, "The same state before and after".into(), lines));
    Ok(())
}

/// Plays the policy's likeliest actions, and says how it ended.
fn play(agent: &mut LocalAgent, mut env: Box<dyn Environment>, mut state: State) -> Result<String> {
    let mut done: Vec<String> = Vec::new();
    while !env.turn().done && done.len() < ON {
        let listed: Vec<String> = env.turn().actions.list().iter().map(ToString::to_string).collect();
        let action = if listed.is_empty() {
            agent.propose(&state, None, 0.0, &[1])?.remove(0)
        } else {
            let scores = agent.score(&state, None, &listed)?;
            let best = likeliest(&scores).unwrap_or_default();
            listed[best].clone()
        };
        env.step(&action)?;
        state.history.push((action.clone(), env.turn().observation.to_string()));
        done.push(action);
    }
    let last = done.last().filter(|_| !env.turn().success).map_or(String::new(), |action| format!(" (last: {action})"));
    Ok(went(env.turn(), done.len()) + &last)
}

fn load(root: &std::path::Path, name: Option<&str>, mail: &Mailbox) -> Result<LocalAgent> {
    let made = |model| LocalAgent::new(model, Cancel::default(), Priority::Interactive);
    let loaded =
        guarded("reading the model", || Store::open(root).and_then(|store| checkpoint::load(&store, name)).and_then(made));
    let agent = match loaded {
        Ok(agent) => agent,
        Err(error) => {
            mail.failed(&error); // a damaged checkpoint must not leave Explore without a model
            made(crate::model::Model::embedded()?)?
        }
    };
    mail.send(Msg::Explore(explore::Msg::Model(agent.model().source.clone())));
    Ok(agent)
}

/// Scores, then chooses alternatives, then predicts, saying each as soon as it is known.
fn think(agent: &mut LocalAgent, look: &Look, cancel: &Cancel, mail: &Mailbox) -> Result<()> {
    agent.set_cancel(cancel.clone());
    let _waiting = team::interactive();
    let ticket = look.ticket;
    let tell = |msg: explore::Msg| mail.send(Msg::Explore(msg));
    let thought = if look.think { Some(agent.think(&look.state, 0.0, 0)?) } else { None };
    if let Some(thought) = &thought {
        tell(explore::Msg::Thought(ticket, thought.clone()));
    }
    let after = thought.as_deref();
    let chosen: Vec<(String, String)> = if look.actions.is_empty() {
        let Choosing { k, temperature, top_p, seed, .. } = look.choosing;
        let how = Sampling { top_p, ..Sampling::at(temperature) };
        let proposed = agent.sample(&look.state, after, how, &Rng::seeds(seed, "explore", k))?;
        let mut distinct: Vec<(String, String)> = Vec::new();
        for action in proposed {
            if Some(&action) != look.expert.as_ref() && !distinct.iter().any(|(known, _)| *known == action) {
                distinct.push((action, "policy".into()));
            }
        }
        distinct
    } else {
        let shares = shares(&agent.score(&look.state, after, &look.actions)?);
        cancel.check()?;
        let expert = look.actions.iter().position(|action| Some(action) == look.expert.as_ref());
        let place = look.state.history.iter().map(|(action, _)| action.as_str()).collect::<Vec<_>>().join("\n");
        let order = look.choosing.choose(&shares, expert, &place);
        tell(explore::Msg::Scores(ticket, shares));
        let source = look.choosing.proposer.source();
        order.into_iter().map(|i| (look.actions[i].clone(), source.to_string())).collect()
    };
    tell(explore::Msg::Chosen(ticket, chosen.clone()));
    let all: Vec<String> = look.expert.iter().cloned().chain(chosen.into_iter().map(|(action, _)| action)).collect();
    let mut last = Instant::now();
    let mut partial: Vec<String> = vec![String::new(); all.len()];
    let finished = agent.predict(&look.state, &all, &mut |i, text| {
        partial[i] = text.to_string();
        // The screen shows at most thirty states a second; more would only queue up.
        if last.elapsed() > Duration::from_millis(33) {
            last = Instant::now();
            tell(explore::Msg::Predicted(ticket, partial.clone(), false));
        }
        true
    })?;
    tell(explore::Msg::Predicted(ticket, finished, true));
    Ok(())
}
