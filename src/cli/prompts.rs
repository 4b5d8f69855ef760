//! `foretaste prompts`: a mind's prompt, rewritten by reflection on what came of it.

use std::io::Write;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Common, SuiteArgs, interruptible, number};
use crate::control::{Control, Meter};
use crate::error::{Error, Result};
use crate::paths;
use crate::prompts::{
    Game, Journal, Known, Outcome, Plan, Playing, Select, optimise, profile, unfit,
};
use crate::store::Store;
use crate::text::{apart, counted, is_name, percent, signed};

/// Arguments of `foretaste prompts`.
#[derive(Debug, Args)]
pub struct PromptsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Rewrite what a mind is told before it acts, by what came of it in games (GEPA); of a name that was
    /// begun, go on where it stands
    Optimise(Box<OptimiseArgs>),
    /// Those that were begun
    List,
    /// The texts of one as a tree, with their scores, and how each differs from the one before it
    Show {
        /// Its name
        name: String,
    },
    /// Forget one, with all that was answered
    Forget {
        /// Its name
        name: String,
    },
    /// Write a text as prompts/NAME.toml, for a mind of config.toml to name
    Accept {
        /// Its name
        name: String,
        /// Which text (default: the best on average)
        #[arg(long, value_name = "N", value_parser = number::<usize>(0..=1_000_000))]
        candidate: Option<usize>,
    },
}

#[derive(Debug, Args)]
struct OptimiseArgs {
    /// What it goes by
    name: String,
    #[command(flatten)]
    suite: SuiteArgs,
    /// Whose prompt it is: an endpoint's URL, or a mind of config.toml
    #[arg(long)]
    mind: Option<String>,
    /// Who writes new texts (default: the same)
    #[arg(long)]
    writer: Option<String>,
    /// The split that games are drawn from (default: train)
    #[arg(long)]
    split: Option<String>,
    /// Games that texts are rewritten by (default: 30)
    #[arg(long, value_parser = number::<usize>(1..=10_000))]
    train: Option<usize>,
    /// Games that texts are compared on (default: 30)
    #[arg(long, value_parser = number::<usize>(1..=10_000))]
    validation: Option<usize>,
    /// Games at most, all together (default: 300)
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
    #[arg(long, value_parser = number::<usize>(1..=10_000))]
    limit: Option<usize>,
    /// Decides everything that is drawn (default: 1)
    #[arg(long)]
    seed: Option<u64>,
}

impl OptimiseArgs {
    /// What is asked for; what is not said is as it was begun with, else the usual.
    fn design(&self, suite: &str, begun: Option<&Design>) -> Result<(Game, Plan)> {
        let usual = Plan {
            train: 30,
            validation: 30,
            budget: 300,
            minibatch: 3,
            select: Select::Front,
            seed: 1,
        };
        let plan = begun.map_or(usual, |begun| begun.plan);
        let game = begun.map(|begun| &begun.game);
        let mind = self.mind.clone().or_else(|| game.map(|game| game.mind.clone()));
        let mind = mind.ok_or_else(|| Error::usage("--mind: whose prompt is it?"))?;
        let writer = self.writer.clone().or_else(|| game.map(|game| game.writer.clone()));
        let split = self.split.clone().or_else(|| game.map(|game| game.split.clone()));
        let game = Game {
            suite: suite.into(),
            split: split.unwrap_or_else(|| "train".into()),
            writer: writer.unwrap_or_else(|| mind.clone()),
            mind,
            steps: self.limit.or(game.map(|game| game.steps)).unwrap_or(30),
        };
        let plan = Plan {
            train: self.train.unwrap_or(plan.train),
            validation: self.validation.unwrap_or(plan.validation),
            budget: self.budget.unwrap_or(plan.budget),
            minibatch: self.minibatch.unwrap_or(plan.minibatch),
            select: self.select.unwrap_or(plan.select),
            seed: self.seed.unwrap_or(plan.seed),
        };
        plan.vet()?;
        Ok((game, plan))
    }
}

/// What an optimisation was begun with.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Design {
    game: Game,
    plan: Plan,
    /// The text that was begun with.
    text: String,
}

/// Answers in the store.
struct Kept<'a> {
    store: &'a mut Store,
    name: &'a str,
}

impl Journal for Kept<'_> {
    fn known(&self, asked: &str) -> Result<Option<String>> {
        self.store.prompt_answer(self.name, asked)
    }

    fn keep(&mut self, asked: &str, answer: &str) -> Result<()> {
        self.store.keep_prompt_answer(self.name, asked, answer)
    }
}

/// Runs the command.
pub fn run(common: &Common, args: PromptsArgs) -> Result<()> {
    match args.what {
        What::Optimise(args) => begin(common, &args),
        What::Forget { name } => forget(common, &name),
        What::List => list(common),
        What::Show { name } => show(common, &name),
        What::Accept { name, candidate } => accept(common, &name, candidate),
    }
}

fn begin(common: &Common, args: &OptimiseArgs) -> Result<()> {
    let mut store = common.store()?;
    let looks = common.store()?;
    let suite = args.suite.open()?;
    let control = interruptible()?;
    let name = &args.name;
    if !is_name(name) {
        return Err(Error::usage(format!("{name}: a name has letters, digits, - and _")));
    }
    let begun = stored(&store, name)?;
    let (game, plan) = args.design(suite.name(), begun.as_ref())?;
    let items = (plan.train, plan.validation);
    let mut playing =
        Playing::new(&looks, suite.as_ref(), game.clone(), items, plan.seed, &control)?;
    // Who writes may change, and more may be spent; all else decides what the answers mean.
    let same = |begun: &Design| {
        (
            Game { writer: game.writer.clone(), ..begun.game.clone() },
            Plan { budget: plan.budget, ..begun.plan },
        ) == (game.clone(), plan)
    };
    let design = match begun {
        Some(begun) if !same(&begun) => {
            return Err(Error::usage(format!("{name} was begun with other settings")).hint(
                "leave them out (--budget and --writer may differ), or give it another name",
            ));
        }
        Some(begun) => Design { game, plan, ..begun },
        None => Design { game, plan, text: playing.first().to_string() },
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
            super::out::tell(&scored(n, known));
        }
        told = so_far.candidates.len();
    };
    let mut kept = Kept { store: &mut store, name };
    let found = optimise(&design.text, &design.plan, &mut playing, &mut kept, &control, each)?;
    let best = &found.candidates[found.best];
    common.out().line(&json!(found), || {
        format!(
            "{}: {} kept, {} no better on the games they were made by, {} better with nothing left to compare them by, {} \
             not tried (known already, unfit, or beyond the budget); {}\n{}\n(these are the games it was chosen by: \
             foretaste eval says how good it is on others)\nwrite it down: foretaste prompts accept {name}",
            counted(found.written.all, "text written"),
            found.candidates.len() - 1,
            found.written.no_better,
            found.written.no_room,
            found.written.untried,
            counted(found.trials, "game played"),
            scored(found.best, best)
        )
    });
    Ok(())
}

fn forget(common: &Common, name: &str) -> Result<()> {
    let mut store = common.store()?;
    if !store.forget_prompt(name)? {
        return Err(Error::usage(format!("no prompt is called {name}"))
            .hint("list them with: foretaste prompts list"));
    }
    common.out().line(&json!({"forgotten": name}), || format!("{name} is forgotten"));
    Ok(())
}

fn stored(store: &Store, name: &str) -> Result<Option<Design>> {
    let design = store.prompt_design(name)?;
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|e| Error::new(format!("the prompt {name}: {e}")))
    };
    design.map(read).transpose()
}

/// Nobody who answers: what is known is read again, and nothing is asked.
struct Nobody;

impl crate::prompts::Trial for Nobody {
    fn run(
        &mut self,
        _: &str,
        _: &[crate::prompts::Item],
        _: &mut dyn FnMut(usize, crate::prompts::Scored) -> Result<()>,
    ) -> Result<()> {
        Err(Error::cancelled())
    }

    fn rewrite(&mut self, _: &str) -> Result<String> {
        Err(Error::cancelled())
    }

    fn vet(&self, text: &str) -> Option<String> {
        unfit(text)
    }
}

/// How an optimisation stands, from what is kept.
fn standing(store: &mut Store, name: &str) -> Result<(Design, Outcome)> {
    let none = || {
        Error::usage(format!("no prompt is called {name}"))
            .hint("list them with: foretaste prompts list")
    };
    let design = stored(store, name)?.ok_or_else(none)?;
    let mut last = None;
    let mut kept = Kept { store, name };
    let each = &mut |so_far: &Outcome| last = Some(so_far.clone());
    let control = Control::default();
    match optimise(&design.text, &design.plan, &mut Nobody, &mut kept, &control, each) {
        Ok(found) => Ok((design, found)),
        Err(error) if error.is_cancelled() => {
            let unknown = || Error::new(format!("{name}: the first text was not tried to its end"));
            Ok((design, last.ok_or_else(unknown)?))
        }
        Err(error) => Err(error),
    }
}

fn list(common: &Common) -> Result<()> {
    let mut store = common.store()?;
    let out = common.out();
    for name in store.prompt_names()? {
        let row = match standing(&mut store, &name) {
            Ok((design, found)) => json!({"name": name, "texts": found.candidates.len(),
                "first": found.candidates[0].mean(), "best": found.candidates[found.best].mean(),
                "trials": found.trials, "budget": design.plan.budget}),
            Err(error) => json!({"name": name, "error": error.message()}),
        };
        out.line(&row, || super::out::pairs(&row));
    }
    Ok(())
}

fn scored(n: usize, known: &Known) -> String {
    let parent = known.parent.map_or("the first text".into(), |parent| format!("from {parent}"));
    format!(
        "text {n} ({parent}): {} on {} games, after {} in all",
        percent(known.mean()),
        known.scores.len(),
        known.trials
    )
}

fn show(common: &Common, name: &str) -> Result<()> {
    let mut store = common.store()?;
    let (_, found) = standing(&mut store, name)?;
    common.out().line(&json!(found), || {
        let mut lines = Vec::new();
        tree(&found, None, 0, &mut lines);
        lines.push(format!(
            "best on average: {}; best on some game and not dominated: {}",
            found.best,
            found.front.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ));
        lines.join("\n")
    });
    Ok(())
}

/// The texts below one, each with what it says otherwise.
fn tree(found: &Outcome, parent: Option<usize>, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    for (n, known) in found.candidates.iter().enumerate() {
        if known.parent != parent {
            continue;
        }
        lines.push(format!("{indent}{}", scored(n, known)));
        let said = match parent {
            None => known.text.clone(),
            Some(parent) => changed(&found.candidates[parent].text, &known.text),
        };
        lines.extend(said.lines().map(|line| format!("{indent}  {line}")));
        tree(found, Some(n), depth + 1, lines);
    }
}

/// What a text leaves out of another and what it adds, by words.
fn changed(old: &str, new: &str) -> String {
    let [was, is] = apart(old, new);
    format!("was: {}\nis:  {}", signed(&was, ['[', ']']), signed(&is, ['{', '}']))
}

fn accept(common: &Common, name: &str, candidate: Option<usize>) -> Result<()> {
    let mut store = common.store()?;
    let (_, found) = standing(&mut store, name)?;
    let n = candidate.unwrap_or(found.best);
    let known = found.candidates.get(n).ok_or_else(|| {
        Error::usage(format!("{name} has {} texts, counted from 0", found.candidates.len()))
    })?;
    let folder = store.root().join("prompts");
    let path = folder.join(format!("{name}.toml"));
    std::fs::create_dir_all(&folder).map_err(|e| Error::io("making", &folder, &e))?;
    let file = profile(&known.text);
    paths::write_whole(&path, false, |out| {
        out.write_all(file.as_bytes()).map_err(|e| Error::io("writing", &path, &e))
    })?;
    common.out().line(&json!({"prompt": name, "candidate": n, "file": path}), || {
        format!(
            "{}\nwritten to {}; a mind of config.toml reads it by: prompts = \"{name}\"",
            scored(n, known),
            path.display()
        )
    });
    Ok(())
}
