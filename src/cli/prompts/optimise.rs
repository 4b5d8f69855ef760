//! `foretaste prompts optimise`: whose prompt it is, how it is tried, and the loop.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::{Common, SuiteArgs, interruptible, number, out};
use super::{Kept, scored, stored};
use crate::control::Meter;
use crate::error::{Error, Result};
use crate::gateway;
use crate::prompts::{self, Game, OfAgent, Outcome, Outside, Plan, Playing, Select, Trial};
use crate::text::{counted, is_name};

#[derive(Debug, Args)]
pub struct OptimiseArgs {
    /// What it goes by
    name: String,
    #[command(flatten)]
    suite: SuiteArgs,
    /// Whose prompt it is: an endpoint's URL, or a mind of config.toml; with --agent, who answers it
    #[arg(long)]
    mind: Option<String>,
    /// The system message of this agent of the gateway is rewritten, tried by running --trial
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The command that runs the agent on an item: {item} is its number, {url} and {key} reach the gateway
    #[arg(long, value_name = "COMMAND", requires = "agent")]
    trial: Option<String>,
    /// Commands that run at once (default: 4)
    #[arg(long, value_name = "N", requires = "agent", value_parser = number::<usize>(1..=64))]
    at_once: Option<usize>,
    /// Seconds that a command may take (default: 600)
    #[arg(long, value_name = "S", requires = "agent", value_parser = number::<u64>(1..=86_400))]
    seconds: Option<u64>,
    /// Who writes new texts (default: the same)
    #[arg(long)]
    writer: Option<String>,
    /// The split that games are drawn from (default: train)
    #[arg(long, conflicts_with = "agent")]
    split: Option<String>,
    /// Games, or items, that texts are rewritten by (default: 30)
    #[arg(long, value_parser = number::<usize>(1..=10_000))]
    train: Option<usize>,
    /// Games, or items, that texts are compared on (default: 30)
    #[arg(long, value_parser = number::<usize>(1..=10_000))]
    validation: Option<usize>,
    /// Trials at most, all together (default: 300)
    #[arg(long, value_parser = number::<u64>(1..=1_000_000))]
    budget: Option<u64>,
    /// Games that a rewriting is made by (default: 3)
    #[arg(long, value_parser = number::<usize>(1..=100))]
    minibatch: Option<usize>,
    /// What is rewritten next: one that is best somewhere (GEPA), one of the four best on average (APO), or
    /// the best (default: front)
    #[arg(long, value_enum)]
    select: Option<Select>,
    /// Steps of a game at most (default: 30)
    #[arg(long, conflicts_with = "agent", value_parser = number::<usize>(1..=10_000))]
    limit: Option<usize>,
    /// Decides everything that is drawn (default: 1)
    #[arg(long)]
    seed: Option<u64>,
}

/// Whose prompt it is, and how it is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tried {
    /// A mind's, by games of a suite.
    Game(Game),
    /// An agent's of others, by running it.
    Agent(OfAgent),
}

impl Tried {
    fn writer(&self) -> &str {
        match self {
            Self::Game(game) => &game.writer,
            Self::Agent(agent) => &agent.writer,
        }
    }

    /// With who writes as another has it, which decides nothing of what the answers mean.
    fn written_by(mut self, other: &Self) -> Self {
        let writer = match &mut self {
            Self::Game(game) => &mut game.writer,
            Self::Agent(agent) => &mut agent.writer,
        };
        other.writer().clone_into(writer);
        self
    }

    /// Why a text cannot be used, if it cannot.
    pub fn unfit(&self, text: &str) -> Option<String> {
        match self {
            Self::Game(_) => prompts::unfit(text),
            Self::Agent(_) => None,
        }
    }

    /// A text as its file, and how it comes to be used.
    pub fn file(&self, name: &str, text: &str) -> (String, String) {
        match self {
            Self::Game(_) => (
                prompts::profile(text),
                format!("a mind of config.toml reads it by: prompts = \"{name}\""),
            ),
            Self::Agent(OfAgent { agent, mind, .. }) => (
                gateway::prompt_file(text),
                format!(
                    "the agent is told it from its next call on by: foretaste gateway route '{agent}={mind} with {name}'"
                ),
            ),
        }
    }
}

/// What an optimisation was begun with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Design {
    /// Whose prompt, and how.
    #[serde(flatten)]
    pub tried: Tried,
    /// How much of it.
    pub plan: Plan,
    /// The text that was begun with.
    pub text: String,
}

impl OptimiseArgs {
    /// How much is asked for; what is not said is as it was begun with, else the usual.
    fn plan(&self, begun: Option<&Design>) -> Result<Plan> {
        let usual = Plan {
            train: 30,
            validation: 30,
            budget: 300,
            minibatch: 3,
            select: Select::Front,
            seed: 1,
        };
        let plan = begun.map_or(usual, |begun| begun.plan);
        let plan = Plan {
            train: self.train.unwrap_or(plan.train),
            validation: self.validation.unwrap_or(plan.validation),
            budget: self.budget.unwrap_or(plan.budget),
            minibatch: self.minibatch.unwrap_or(plan.minibatch),
            select: self.select.unwrap_or(plan.select),
            seed: self.seed.unwrap_or(plan.seed),
        };
        plan.vet()?;
        Ok(plan)
    }

    /// Whose prompt it is, in the same way.
    fn tried(&self, begun: Option<&Design>) -> Result<Tried> {
        let whose = || Error::usage("--mind: whose prompt is it?");
        match begun.map(|begun| &begun.tried) {
            Some(Tried::Agent(of)) => Ok(Tried::Agent(self.agent(Some(of), whose)?)),
            None if self.agent.is_some() => Ok(Tried::Agent(self.agent(None, whose)?)),
            Some(Tried::Game(_)) if self.agent.is_some() => {
                Err(Error::usage(format!("{} is a mind's prompt, and no agent's", self.name))
                    .hint("give it another name"))
            }
            Some(Tried::Game(game)) => Ok(Tried::Game(self.game(Some(game), whose)?)),
            None => Ok(Tried::Game(self.game(None, whose)?)),
        }
    }

    fn game(&self, begun: Option<&Game>, whose: impl Fn() -> Error) -> Result<Game> {
        let mind = self.mind.clone().or_else(|| begun.map(|game| game.mind.clone()));
        let mind = mind.ok_or_else(whose)?;
        let writer = self.writer.clone().or_else(|| begun.map(|game| game.writer.clone()));
        let split = self.split.clone().or_else(|| begun.map(|game| game.split.clone()));
        Ok(Game {
            suite: self.suite.open()?.name().to_string(),
            split: split.unwrap_or_else(|| "train".into()),
            writer: writer.unwrap_or_else(|| mind.clone()),
            mind,
            steps: self.limit.or(begun.map(|game| game.steps)).unwrap_or(30),
        })
    }

    fn agent(&self, begun: Option<&OfAgent>, whose: impl Fn() -> Error) -> Result<OfAgent> {
        let or = |said: &Option<String>, of: fn(&OfAgent) -> &String| {
            said.clone().or_else(|| begun.map(|begun| of(begun).clone()))
        };
        let mind = or(&self.mind, |of| &of.mind).ok_or_else(whose)?;
        let how = || {
            Error::usage("--trial: how is the agent run?")
                .hint("--trial 'python agent.py {item} {url} {key}'")
        };
        Ok(OfAgent {
            agent: or(&self.agent, |of| &of.agent).unwrap_or_default(),
            writer: or(&self.writer, |of| &of.writer).unwrap_or_else(|| mind.clone()),
            mind,
            command: or(&self.trial, |of| &of.command).ok_or_else(how)?,
            at_once: self.at_once.or(begun.map(|of| of.at_once)).unwrap_or(4),
            seconds: self.seconds.or(begun.map(|of| of.seconds)).unwrap_or(600),
        })
    }
}

/// Begins one, or goes on with it.
pub(super) fn begin(common: &Common, args: &OptimiseArgs) -> Result<()> {
    let mut store = common.store()?;
    let looks = common.store()?;
    let control = interruptible()?;
    let name = &args.name;
    if !is_name(name) {
        return Err(Error::usage(format!("{name}: a name has letters, digits, - and _")));
    }
    let begun = stored(&store, name)?;
    let (plan, tried) = (args.plan(begun.as_ref())?, args.tried(begun.as_ref())?);
    let items = (plan.train, plan.validation);
    let suite;
    let (mut trial, first): (Box<dyn Trial + '_>, String) = match &tried {
        Tried::Game(game) => {
            suite = args.suite.open()?;
            let playing =
                Playing::new(&looks, suite.as_ref(), game.clone(), items, plan.seed, &control)?;
            let first = playing.first().to_string();
            (Box::new(playing), first)
        }
        Tried::Agent(of) => {
            let outside = Outside::new(common.store()?, name, of.clone(), plan.train, &control)?;
            let first = outside.first().to_string();
            (Box::new(outside), first)
        }
    };
    // Who writes may change, and more may be spent; all else decides what the answers mean.
    let same = |begun: &Design| {
        let known = begun.tried.clone().written_by(&tried);
        (known, Plan { budget: plan.budget, ..begun.plan }) == (tried.clone(), plan)
    };
    let design = match begun {
        Some(begun) if !same(&begun) => {
            return Err(Error::usage(format!("{name} was begun with other settings")).hint(
                "leave them out (--budget and --writer may differ), or give it another name",
            ));
        }
        Some(begun) => Design { tried, plan, ..begun },
        None => Design { tried, plan, text: first },
    };
    store.keep_prompt(name, &json!(design).to_string())?;
    let mut out = common.out();
    let meter = Meter::new("trials", 0, design.plan.budget);
    let mut told = 0;
    let each = &mut |so_far: &Outcome| {
        let mut progress = meter.at(so_far.trials);
        progress.doing = format!("{},", counted(so_far.candidates.len() as u64, "text"));
        out.progress(&progress);
        for (n, known) in so_far.candidates.iter().enumerate().skip(told) {
            out::tell(&scored(n, known));
        }
        told = so_far.candidates.len();
    };
    let mut kept = Kept { store: &mut store, name };
    let found =
        prompts::optimise(&design.text, &design.plan, trial.as_mut(), &mut kept, &control, each)?;
    let best = &found.candidates[found.best];
    common.out().line(&json!(found), || {
        format!(
            "{}: {} kept, {} no better on what they were made by, {} better with nothing left to compare them by, {} \
             not tried (known already, unfit, or beyond the budget); {}\n{}\n(this is what it was chosen by: other games \
             say how good it is)\nwrite it down: foretaste prompts accept {name}",
            counted(found.written.all, "new text"),
            found.candidates.len() - 1,
            found.written.no_better,
            found.written.no_room,
            found.written.untried,
            counted(found.trials, "trial"),
            scored(found.best, best)
        )
    });
    Ok(())
}
